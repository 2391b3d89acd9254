"""`router rules`: what the rules in force did."""

import time

import click
import msgspec

from router.cli.environment import load_environment
from router.cli.format_option import format_option
from router.cli.storage import clock_time, run_with_database
from router.cli.tables import show_list
from router.core.loading import parse_duration
from router.registry import load_plugins
from router.rulebook.files import read_rules
from router.store.db.database import Database
from router.store.log.rule_stats import DailyRuleStats, RuleCount, complete

_HEADINGS = ("rule", "matches", "near misses", "last match")


@click.group(name="rules")
def command() -> None:
    """Show how often each rule matched."""


def _read_span(context: click.Context, parameter: click.Parameter, text: str) -> float:  # noqa: ARG001 - click's signature
    seconds = parse_duration(text)
    if seconds is None:
        raise click.BadParameter("write 24h or 30d")
    return seconds


@command.command(name="stats")
@click.option(
    "--since",
    default="30d",
    show_default=True,
    callback=_read_span,
    help="Duration before now, as 12h or 30d.",
)
@format_option
def stats(since: float, form: str) -> None:
    """Show how often each rule matched, in whole days of UTC, and when it last did.

    Near misses are counted on a sample of at most one notification per second. A running router
    writes its counts every ten seconds.
    """
    environment = load_environment()
    schemas = load_plugins(environment.plugins_dir).schemas
    ruleset = read_rules(environment.rules, schemas, sandbox=True).loaded.ruleset
    names = [rule.name for rule in ruleset.rules] if ruleset is not None else []

    async def read(database: Database) -> list[RuleCount]:
        counts = await DailyRuleStats(database).since(time.time() - since)
        return complete(counts, names)

    counts = run_with_database(read)
    if form == "json":
        click.echo(msgspec.json.encode(counts).decode())
        return
    show_list(_HEADINGS, (_row(count, _days_text(since)) for count in counts))


def _row(count: RuleCount, span: str) -> tuple[str, ...]:
    matches = str(count.matches) if count.matches else f"0 in {span}"
    last = clock_time(count.last_at) if count.last_at else "-"
    return count.rule, matches, str(count.near_misses), last


def _days_text(seconds: float) -> str:
    days = seconds / 86400
    return f"{days:.0f} days" if days >= 2 else f"{seconds / 3600:.0f} hours"  # noqa: PLR2004 - from two on, days read well
