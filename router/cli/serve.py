"""`router serve`: the server, and the demonstration that goes with sandbox mode."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import click
import msgspec
import structlog
import uvloop

from router.app import RunningRouter, StartupError, serve
from router.channel import Secret
from router.cli.demo import send_samples
from router.cli.environment import address, fail, load_environment
from router.cli.online import webhook
from router.settings import Environment
from router.signals import EXIT_TIMEOUT_S, LEFTOVER_TIMEOUT_S, ExitWatchdog
from router.transport.sandbox import RecordedExchange

_log = structlog.get_logger(__name__)


@click.command(name="serve")
@click.option("--host", help="Address to listen on; default: ROUTER_HOST.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; default: ROUTER_PORT."
)
@click.option(
    "--sandbox", is_flag=True, help="Deliver nothing, and record the requests that would be sent."
)
@click.option(
    "--feed-samples", "feeding", is_flag=True, help="Post every sample payload to the router."
)
@click.option(
    "--exit", "exiting", is_flag=True, help="With --feed-samples: stop after the last sample."
)
def command(
    host: str | None, port: int | None, *, sandbox: bool, feeding: bool, exiting: bool
) -> None:
    """Serve the webhook, the API and the metrics until SIGTERM or Ctrl-C.

    In sandbox mode without ROUTER_DATABASE the database is a temporary one.
    """
    environment = _settings(host, port, sandbox=sandbox)
    if feeding and not environment.sandbox:
        raise click.UsageError(
            "--feed-samples needs --sandbox: samples must not reach real recipients"
        )
    if exiting and not feeding:
        raise click.UsageError("--exit needs --feed-samples")
    with tempfile.TemporaryDirectory(prefix="router-") as scratch:
        if environment.sandbox and not _names_database():
            url = f"sqlite+aiosqlite:///{Path(scratch) / 'router.db'}"
            environment = msgspec.structs.replace(environment, database=Secret(url))
        try:
            deadline = ExitWatchdog()
            went_well = uvloop.run(_serve(environment, deadline, feeding=feeding, exiting=exiting))
        except StartupError as error:
            fail(*error.problems)
        except Exception as error:  # noqa: BLE001 - its words may hold anything, so a log line tells it
            _log.critical("server crashed", exc_info=error)
            sys.exit(1)
    sys.exit(0 if went_well else 1)


def _settings(host: str | None, port: int | None, *, sandbox: bool) -> Environment:
    environment = load_environment()
    options = {"host": host, "port": port, "sandbox": sandbox or None}
    chosen = {name: value for name, value in options.items() if value is not None}
    return msgspec.structs.replace(environment, **chosen)


def _names_database() -> bool:
    return bool(os.environ.get("ROUTER_DATABASE") or os.environ.get("ROUTER_DATABASE_FILE"))


async def _serve(
    environment: Environment, deadline: ExitWatchdog, *, feeding: bool, exiting: bool
) -> bool:
    deadline.watch(asyncio.get_running_loop())
    exchanges: list[RecordedExchange] = []
    went_well = True

    async def demonstrate(running: RunningRouter) -> None:
        nonlocal went_well
        at = msgspec.structs.replace(environment, port=running.port)
        async with webhook(at, address(at)) as session:
            went_well = await send_samples(session, lambda: exchanges)
        if exiting:
            running.stop()
        else:
            click.echo(f"listening on {address(at)}; press Ctrl-C to stop")

    status = 1
    try:
        await serve(
            environment,
            record=exchanges.append if feeding else None,
            started=demonstrate if feeding else None,
            stopping=lambda: deadline.set(EXIT_TIMEOUT_S, status=1),
        )
        status = 0 if went_well else 1
    finally:
        deadline.set(LEFTOVER_TIMEOUT_S, status=status)
    return went_well
