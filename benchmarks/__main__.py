"""`python -m benchmarks`: measure, print, and with --keep write the results down."""

import sys

import click
import uvloop

from benchmarks.measurement import FULL, QUICK, Report
from benchmarks.results import keep, show_report
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

    results = uvloop.run(run(names or tuple(BENCHMARKS), QUICK if quick else FULL, tell, done))
    if keeping:
        keep(results)


if __name__ == "__main__":
    command()
