"""What a verb needs that works without a server: the rules, and their problems as shown."""

import sys
from pathlib import Path

import click

from router.cli.environment import warn
from router.core.errors import Problem
from router.core.loading import picture
from router.core.ruleset import Ruleset
from router.registry import Registry
from router.rulefiles import read_rules
from router.settings import Environment


def show_problem(problem: Problem, text: str) -> str:
    """Return a problem as a person reads it: the line, and a picture of the place."""
    return f"{problem}\n{picture(problem, text)}" if text else str(problem)


def read_ruleset(path: Path, environment: Environment, registry: Registry) -> Ruleset:
    """Return the rules in a file, or end the process with every error of it."""
    for line in registry.problems:
        warn(line)
    read = read_rules(path, registry.schemas, sandbox=environment.sandbox)
    if read.loaded.ruleset is not None and read.loaded.is_whole:
        return read.loaded.ruleset
    for problem in read.loaded.problems:
        if problem.severity == "error":
            click.echo(show_problem(problem, read.loaded.texts.get(problem.file, "")), err=True)
    sys.exit(1)
