"""`/v1/rules`: what is in force, what is wrong with the file, and why a payload goes where."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Protocol, runtime_checkable

import msgspec
from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import RawBody
from msgspec import Meta, Struct

from router.core.errors import Problem
from router.core.loading import Included, Standing
from router.core.model.delivery import mask
from router.core.model.facts import DecisionState
from router.core.model.notification import derive
from router.core.model.payload import decode
from router.core.model.recipient_guard import RecipientGuard
from router.core.rules.classify import classify
from router.core.rules.ruleset import ChannelSchema, ChannelSpec, Ruleset
from router.core.simulate.assume_shown import assume_original_delivered
from router.core.simulate.explain import Trace, explain
from router.store.errors import AppAmbiguous, RequestFault
from router.store.log.rule_stats import KEPT_DAYS, DailyRuleStats, RuleCount, complete
from router.store.recipients.repository import Recipients
from router.web.openapi import described
from router.web.problems import HTTPError
from router.web.validation import read_query
from router.web.webhook import PayloadBody


@runtime_checkable
class ReloadableRules(Protocol):
    """The rules in force, and how to replace them by those on disk."""

    ruleset: Ruleset | None
    problems: tuple[Problem, ...]
    included: tuple[Included, ...]
    current: bool

    @property
    def channels(self) -> Mapping[str, ChannelSpec]:
        """Return the channels in force by name."""

    @property
    def schemas(self) -> Collection[ChannelSchema]:
        """Return what the plugins say of their channels; none before plugins are loaded."""

    async def reload(self) -> Sequence[Problem]:
        """Read the file again; with an error among its problems nothing changes."""


class ChannelView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A channel in force; `addressKind` is empty when its destination is fixed."""

    name: str
    plugin: str
    address_kind: str


class FileView(Struct, frozen=True, kw_only=True):
    """An included file; `standing` says whether it holds as it is, as it was, or not at all."""

    file: str
    owner: str
    standing: Standing
    rules: int


class RulesView(Struct, frozen=True, kw_only=True):
    """The rules in force; `version` is None when there are none.

    `current` says whether they are those of the files, whose `problems` follow.
    """

    version: str | None
    current: bool
    rules: list[str]
    channels: list[ChannelView]
    included: list[FileView]
    problems: list[Problem]


class ExplainParams(Struct, frozen=True, kw_only=True):
    """As of when to explain."""

    at: Annotated[float, Meta(description="Epoch seconds; now when left out.")] | None = None


class Explanation(Trace, frozen=True, kw_only=True):
    """Why a payload goes where it goes; addresses are masked."""

    notification: dict[str, Any]


@get("/")
async def show_rules(rulebook: NamedDependency[ReloadableRules]) -> RulesView:
    """Show the rules in force and the problems of the files."""
    return _rules_view(rulebook)


class StatsParams(Struct, frozen=True, kw_only=True):
    """How far back to count."""

    days: Annotated[int, Meta(ge=1, le=KEPT_DAYS, description="Today and the days before it.")] = 30


class RuleStats(Struct, frozen=True, kw_only=True):
    """How often each rule matched on the last so many days, those in force first, in their order.

    `near_misses` are counted on a sample: at most one notification a second is looked at.
    """

    days: int
    rules: list[RuleCount]


@get("/stats", opt=described(query=(StatsParams,)))
async def show_stats(
    request: Request[None, None, State],
    rulebook: NamedDependency[ReloadableRules],
    rule_days: NamedDependency[DailyRuleStats],
) -> RuleStats:
    """Show how often each rule matched or nearly matched, and when it last did."""
    days = read_query(request.query_params, StatsParams).days
    counts = await rule_days.since(time.time() - (days - 1) * 86400.0)
    ruleset = rulebook.ruleset
    names = [rule.name for rule in ruleset.rules] if ruleset else []
    return RuleStats(days=days, rules=complete(counts, names))


@post(
    "/reload",
    status_code=HTTPStatus.OK,
    opt=described(errors=(HTTPStatus.UNPROCESSABLE_ENTITY,)),
)
async def reload_rules(rulebook: NamedDependency[ReloadableRules]) -> RulesView:
    """Read the rules files again; where one has an error, its rules in force stay.

    With an error in the main file all stays; with one in an included file that alone.
    """
    await rulebook.reload()
    if not rulebook.current:
        raise HTTPError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            _log_refusal(rulebook),
            faults=[_fault(problem) for problem in rulebook.problems],
        )
    return _rules_view(rulebook)


@post(
    "/explain",
    status_code=HTTPStatus.OK,
    opt=described(body=PayloadBody, query=(ExplainParams,), errors=(HTTPStatus.CONFLICT,)),
)
async def explain_payload(  # noqa: PLR0913, PLR0917 - the framework gives each by its name
    body: RawBody,
    rulebook: NamedDependency[ReloadableRules],
    recipients: NamedDependency[Recipients],
    skew: NamedDependency[Callable[[], float]],
    guard: NamedDependency[RecipientGuard],
    request: Request[None, None, State],
) -> Explanation:
    """Show how the rules in force decide a payload, without accepting it."""
    at = read_query(request.query_params, ExplainParams).at
    if rulebook.ruleset is None:
        raise HTTPError(
            HTTPStatus.CONFLICT, "no rules are in force; correct the rules file and reload it"
        )
    now = time.time() if at is None else at
    told = derive(decode(body), id="explained", accepted_at=now, skew=skew())
    notification = classify(told, rulebook.ruleset)
    facts = await _explain_state(recipients, notification.app_id, notification.uid)
    facts.guard = guard
    facts = assume_original_delivered(notification, rulebook.ruleset, facts, now)
    return _masked(explain(notification, rulebook.ruleset, facts, now))


def rules_router() -> Router:
    """Return the routes under `/v1/rules`."""
    return Router(
        "/rules",
        route_handlers=[show_rules, show_stats, reload_rules, explain_payload],
        opt={"scope": "operator"},
        tags=["rules"],
    )


async def _explain_state(recipients: Recipients, app_id: str, uid: str) -> DecisionState:
    try:
        recipient = await recipients.get(uid, app_id or None)
    except AppAmbiguous:
        recipient = None
    return DecisionState(recipients={(app_id, uid): recipient} if recipient else {})


def _masked(trace: Trace) -> Explanation:
    fields = msgspec.structs.asdict(trace)
    fields["deliveries"] = [
        msgspec.structs.replace(delivery, to=mask(delivery.to)) for delivery in trace.deliveries
    ]
    return Explanation(**fields)


def _log_refusal(rulebook: ReloadableRules) -> str:
    refused = [file.file for file in rulebook.included if file.standing != "current"]
    main = [problem for problem in rulebook.problems if problem.file not in refused]
    if not refused or any(each.severity == "error" for each in main):
        return "the file has errors, so what was in force stays; see `problems`"
    return (
        f"{', '.join(refused)}: refused for errors, so what was in force of that stays, "
        "and the rest is in force as it is on disk; see `problems`"
    )


def _rules_view(rulebook: ReloadableRules) -> RulesView:
    ruleset = rulebook.ruleset
    rules = Counter(rule.owner for rule in ruleset.rules) if ruleset else Counter[str]()
    return RulesView(
        version=ruleset.version if ruleset else None,
        current=rulebook.current,
        rules=[rule.name for rule in ruleset.rules] if ruleset else [],
        channels=[
            ChannelView(name=spec.name, plugin=spec.plugin, address_kind=spec.address_kind)
            for spec in rulebook.channels.values()
        ],
        included=[
            FileView(
                file=file.file,
                owner=file.owner,
                standing=file.standing,
                rules=rules[file.owner] if file.owner else 0,
            )
            for file in rulebook.included
        ],
        problems=list(rulebook.problems),
    )


def _fault(problem: Problem) -> RequestFault:
    place = f"{problem.file}:{problem.line}:{problem.column}"
    return RequestFault(
        place, f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    )
