"""`router replay`: what rules would have made of what came, and what would change."""

import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NoReturn

import click
from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress

from router.cli.environment import fail, load_environment
from router.cli.format_option import format_option
from router.cli.offline import read_ruleset
from router.cli.replay_report import Form, ReplayReport
from router.cli.storage import run_with_database
from router.cli.time_option import PastTime
from router.core.model.facts import Recipient
from router.core.model.notification import Notification
from router.core.rules.ruleset import ChannelSchema, Ruleset
from router.core.simulate.replay import Replay
from router.registry import load_plugins
from router.rulebook.files import load_stored
from router.store.db.database import Database
from router.store.facts_reader import FactsReader
from router.store.log.log import DeliveryLog
from router.store.log.rulesets import Rulesets

NOTIFICATIONS_PER_PAGE = 200
"""How many notifications are held at a time."""


@click.command(name="replay")
@click.option(
    "--since",
    type=PastTime(),
    default="1h",
    show_default=True,
    help="Start: a time, or a duration before now.",
)
@click.option(
    "--until", type=PastTime(), help="End: a time, or a duration before now; default: now."
)
@click.option(
    "--rules",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Rules file to apply; default: ROUTER_RULES, as it is on disk.",
)
@click.option("--diff", is_flag=True, help="Show only the differences from the rules in force.")
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --diff: rules file to compare with instead.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    help="Number of notifications to show at most; all are counted.",
)
@click.option(
    "--exit-code", is_flag=True, help="With --diff: exit status 1 if there are differences."
)
@format_option
def command(  # noqa: PLR0913 - one for each option
    *,
    since: float,
    until: float | None,
    rules: Path | None,
    diff: bool,
    against: Path | None,
    limit: int | None,
    exit_code: bool,
    form: Form,
) -> None:
    """Decide past notifications again by a rules file; send and write nothing.

    Recipients are those of now, and the time is that of each acceptance. Calls, throttles and
    once_per start empty, and no message has been read. Addresses are masked.
    """
    if not diff and (against or exit_code):
        raise click.UsageError("--against and --exit-code need --diff")
    # Nothing is sent, so what the file takes from the environment need not be there.
    environment = replace(load_environment(), sandbox=True)
    registry = load_plugins(environment.plugins_dir)
    candidate = read_ruleset(rules or environment.rules, environment, registry)
    against_rules = read_ruleset(against, environment, registry) if against else None
    span = (since, time.time() if until is None else until)

    async def run(database: Database) -> ReplayReport:
        before = against_rules
        if diff and before is None:
            before = await _in_force(database, registry.schemas)
        report = ReplayReport(form, limit, is_difference=diff)
        report.begin(candidate.version, before.version if before else "")
        await _replay(database, span, candidate, before, report)
        report.end()
        return report

    report = run_with_database(run)
    sys.exit(1 if exit_code and report.changed else 0)


async def _in_force(database: Database, plugins: Mapping[str, ChannelSchema]) -> Ruleset:
    stored = await Rulesets(database).last()
    if stored is None:
        _fail("the database holds no rules: none have been in force")
    loaded = load_stored(stored, " (in force)", plugins, sandbox=True)
    if loaded.ruleset is None:
        errors = [str(problem) for problem in loaded.problems if problem.severity == "error"]
        _fail("the rules in force cannot be read again: " + "; ".join(errors))
    return loaded.ruleset


def _fail(reason: str) -> NoReturn:
    fail(f"{reason}; name a file to compare with: --against FILE")


async def _replay(
    database: Database,
    span: tuple[float, float],
    candidate: Ruleset,
    before: Ruleset | None,
    report: ReplayReport,
) -> None:
    new, old = Replay(candidate), Replay(before) if before else None
    total = await DeliveryLog(database).count(*span)
    # A bar beside what is printed on the same terminal has to be shown by the same console.
    console = report.console if report.console.is_terminal else Console(stderr=True)
    with Progress(
        console=console, transient=True, redirect_stdout=False, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("replaying", total=total)
        async for notification, recipient in _stored(database, span):
            was = old.predict(notification, recipient) if old else ()
            report.add(notification, was, new.predict(notification, recipient))
            bar.advance(task)


async def _stored(
    database: Database, span: tuple[float, float]
) -> AsyncIterator[tuple[Notification, Recipient]]:
    """Yield what was accepted with its recipient as known now, a page at a time."""
    log, world, after = DeliveryLog(database), FactsReader(database), ""
    while page := await log.payloads(*span, after, NOTIFICATIONS_PER_PAGE):
        facts = await world.facts(page)
        for notification in page:
            yield notification, facts.recipient(notification.app_id, notification.uid)
        after = page[-1].id
