"""`python -m benchmarks`: measure, print, and with --keep write the results down."""

import asyncio
import signal
import sys
from collections.abc import Coroutine

import click
import uvloop

from benchmarks.measurement import FULL, QUICK, Report
from benchmarks.results import Results, keep, show_report
from benchmarks.suite import BENCHMARKS, run


@click.command(name="benchmarks")
@click.argument("names", nargs=-1, type=click.Choice([*BENCHMARKS]))
@click.option("--quick", is_flag=True, help="Fewer and shorter rounds.")
@click.option("--keep", "keeping", is_flag=True, help="Write results/ and the README's tables.")
def command(names: tuple[str, ...], *, quick: bool, keeping: bool) -> None:
    """Run the benchmarks NAMES (default: all) and print what they found.

    Run nothing else meanwhile: ratios bear a busy machine, times do not.
    """
    if sys.platform != "linux":
        raise click.ClickException("benchmarks read what processes have used from Linux's /proc")
    if keeping and names:
        raise click.UsageError("--keep needs a run of all benchmarks")

    def tell(line: str) -> None:
        click.echo(line, err=True)

    def done(report: Report) -> None:
        click.echo(f"{show_report(report)}\n")

    measuring = run(names or tuple(BENCHMARKS), QUICK if quick else FULL, tell, done)
    try:
        results = uvloop.run(_until_told(measuring))
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)
    if keeping:
        keep(results)


async def _until_told(measuring: Coroutine[None, None, Results]) -> Results:
    """Return the results; SIGTERM cuts the measuring off, and ends the processes it has started."""
    task = asyncio.create_task(measuring)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


if __name__ == "__main__":
    command()
