"""`router check`: everything that is wrong with a rules file."""

import sys
from pathlib import Path

import click
import msgspec

from router.cli.environment import load_environment, warn
from router.cli.github_annotations import annotate
from router.cli.offline import show_problems
from router.core.errors import Problem
from router.registry import load_plugins
from router.rulebook.files import read_rules


@click.command(name="check")
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="Format of the output; github: annotations of a pull request.",
)
def command(file: Path | None, form: str, *, strict: bool) -> None:
    """Print every error and warning of the rules in FILE (default: ROUTER_RULES).

    Exit status: 0 without errors, 1 with errors (or warnings, with --strict), 2 for wrong usage.
    """
    environment = load_environment()
    registry = load_plugins(environment.plugins_dir)
    for line in registry.problems:
        warn(line)
    path = file or environment.rules
    read = read_rules(path, registry.schemas, sandbox=environment.sandbox)
    problems = read.loaded.problems
    errors = [problem for problem in problems if problem.severity == "error"]
    if form == "json":
        click.echo(msgspec.json.encode([_row(problem) for problem in problems]).decode())
    elif form == "github":
        for problem in problems:
            click.echo(annotate(problem))
    else:
        for shown in show_problems(problems, read.loaded.texts):
            click.echo(shown)
        click.echo(_summary_line(path, len(errors), len(problems) - len(errors)))
    sys.exit(1 if errors or (strict and problems) else 0)


def _row(problem: Problem) -> dict[str, object]:
    names = ("file", "line", "column", "severity", "message", "hint")
    return {name: getattr(problem, name) for name in names}


def _summary_line(path: Path, errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return f"{path}: no problems"
    return f"{path}: {_count(errors, 'error')}, {_count(warnings, 'warning')}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
