"""What a verb needs that works without a server: the rules, and their problems as shown."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import click

from router.cli.environment import warn
from router.core.errors import Problem
from router.core.loading import render_excerpt
from router.core.loading.yaml_document import split_lines
from router.core.rules.ruleset import Ruleset
from router.registry import PluginRegistry
from router.rulebook.files import read_rules
from router.settings import Environment


def show_problems(problems: Iterable[Problem], texts: Mapping[str, str]) -> Iterator[str]:
    """Yield problems as a person reads them: the line, and a picture of the place.

    `texts` are those of the files; where one could not be read, there is no picture.
    """
    lines = {file: split_lines(text) for file, text in texts.items() if text}
    for problem in problems:
        shown = lines.get(problem.file)
        yield str(problem) if shown is None else f"{problem}\n{render_excerpt(problem, shown)}"


def read_ruleset(path: Path, environment: Environment, registry: PluginRegistry) -> Ruleset:
    """Return the rules in a file, or end the process with every error of it."""
    for line in registry.problems:
        warn(line)
    read = read_rules(path, registry.schemas, sandbox=environment.sandbox)
    if read.loaded.ruleset is not None and read.loaded.is_whole:
        return read.loaded.ruleset
    errors = [problem for problem in read.loaded.problems if problem.severity == "error"]
    for shown in show_problems(errors, read.loaded.texts):
        click.echo(shown, err=True)
    sys.exit(1)
