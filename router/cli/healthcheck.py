"""`router healthcheck`: is a running router well?"""

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

import click

from router.cli.environment import address, fail, load_environment

TIMEOUT_S = 3.0
"""Seconds in which it must answer."""


@click.command(name="healthcheck")
@click.option("--url", help="URL of the router; default: from ROUTER_HOST and ROUTER_PORT.")
@click.option("--live", is_flag=True, help="Check only that the process answers.")
def command(url: str | None, *, live: bool) -> None:
    """Check that a running router is ready; exit status 1 if it is not."""
    if url is None:
        url = address(load_environment())
    target = url.rstrip("/") + ("/health/live" if live else "/health/ready")
    status, text = _ask(target)
    if status != 200:  # noqa: PLR2004 - HTTP's OK
        fail(f"{target}: {text}")
    click.echo(text)


def _ask(url: str) -> tuple[int, str]:
    """Return what a URL answers: nothing but Python's own client, which is there at once."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"}:
            return 0, "the address must begin with http:// or https://"
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", parts.path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError) as error:
        return 0, f"no answer ({type(error).__name__})"
