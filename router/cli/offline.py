"""What a verb needs that works without a server: the environment, the plugins, the rules."""

import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from router.core.errors import Problem
from router.core.loading import picture
from router.core.ruleset import Ruleset
from router.registry import Registry
from router.rulebook import read_rules
from router.settings import Environment, EnvironmentInvalid, read_environment


def fail(*lines: str) -> NoReturn:
    """Print errors to stderr, one a line, and end with exit status 1."""
    for line in lines:
        click.echo(f"error: {line}", err=True)
    sys.exit(1)


def warn(line: str) -> None:
    """Print a warning to stderr."""
    click.echo(f"warning: {line}", err=True)


def load_environment() -> Environment:
    """Return the settings, or end the process with every problem of the environment."""
    try:
        environment, warnings = read_environment(os.environ)
    except EnvironmentInvalid as error:
        fail(*error.problems)
    for line in warnings:
        warn(line)
    return environment


def show_problem(problem: Problem, text: str) -> str:
    """Return a problem as a person reads it: the line, and a picture of the place."""
    return f"{problem}\n{picture(problem, text)}" if text else str(problem)


def read_ruleset(path: Path, environment: Environment, registry: Registry) -> Ruleset:
    """Return the rules in a file, or end the process with every error of it."""
    for line in registry.problems:
        warn(line)
    read = read_rules(path, registry.schemas, sandbox=environment.sandbox)
    if read.loaded.ruleset is not None:
        return read.loaded.ruleset
    for problem in read.loaded.problems:
        if problem.severity == "error":
            click.echo(show_problem(problem, read.loaded.text), err=True)
    sys.exit(1)
