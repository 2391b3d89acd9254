"""What every verb needs: the settings, what is wrong said to a person, and where the router is.

It imports next to nothing: `router healthcheck` runs twice a minute in every container.
"""

import os
import sys
from typing import NoReturn

import click

from router.settings import Environment, EnvironmentInvalid, read_environment

_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - where to listen, not where to call


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


def address(environment: Environment) -> str:
    """Return the base URL at which a router with these settings is reached from its machine."""
    return f"http://{_ANY.get(environment.host, environment.host)}:{environment.port}"
