"""Why a notification went where it went: the decision retold test by test."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from router.core.conditions.condition import All, Condition, ConditionSubject, verdicts
from router.core.decide.decide import decide
from router.core.decide.evaluation import build_context
from router.core.decide.planned import PlannedDelivery
from router.core.decide.render import render
from router.core.model.call import is_too_late
from router.core.model.facts import DecisionState
from router.core.model.message import Content
from router.core.model.notification import Notification
from router.core.model.payload import Json
from router.core.model.unless import WaitCondition
from router.core.rules.classify import Classified, examine
from router.core.rules.ruleset import Rule, Ruleset


class TracedTest(Struct, frozen=True, kw_only=True):
    """One test of a rule: `place` is `file:line:column`, `why` is for people."""

    field: str
    place: str
    held: bool
    why: str


class TracedStep(Struct, frozen=True, kw_only=True):
    """A step that has a `when` of its own, of a rule that matched."""

    channel: str
    place: str
    held: bool
    tests: list[TracedTest]
    near_miss: str = ""


class TracedRule(Struct, frozen=True, kw_only=True):
    """One rule: whether it matched, how its tests went, and by what it nearly matched.

    A rule that was not `reached` stands below the one it was `ended_by`, with a `stop` or `drop`;
    where that is empty the walk never began. `ends` is `stop` or `drop` where it ended the walk
    itself.
    """

    name: str
    place: str
    matched: bool
    reached: bool
    ended_by: str = ""
    ends: str = ""
    tests: list[TracedTest]
    near_miss: str = ""
    steps: list[TracedStep] = []


class TracedDelivery(Struct, frozen=True, kw_only=True):
    """One delivery as planned, with its words; `due` and `expires` are epoch seconds.

    `deferred` says to when by which quiet hours, by the clock that counts, where it is.
    Any of `unless` makes it needless while it waits. One that `stands_by` goes as soon as those
    it stands in for have ended without reaching anybody, and is `due` by then at the latest.
    One whose `operation` is no `send` changes or takes back the `original`, another delivery.
    """

    id: str
    rule: str
    step: int
    channel: str
    to: str
    state: str
    reason: str
    due: float
    expires: float
    deferred: str
    unless: list[str]
    stands_by: bool
    priority: str
    privacy: str
    collapse: str
    operation: str
    original: str
    title: str
    body: str
    data: dict[str, str]
    link: str
    image: str
    sound: str
    badge: int | None


class TracedDuplicate(Struct, frozen=True, kw_only=True):
    """A step that sends nothing, because an earlier rule's delivery stands for it."""

    rule: str
    channel: str
    stands: str
    """The earlier rule."""


class Trace(Struct, frozen=True, kw_only=True):
    """What `router explain --format json` prints.

    `version` is the ruleset's; `faults` counts templates that failed.
    """

    version: str
    notification: dict[str, Json]
    rules: list[TracedRule]
    deliveries: list[TracedDelivery]
    duplicates: list[TracedDuplicate]
    reason: str
    faults: int


def explain(
    notification: Notification, ruleset: Ruleset, facts: DecisionState, now: float
) -> Trace:
    """Return the decision with every test and every word; pure, as `decide` is."""
    decision = decide(notification, ruleset, facts, now)
    outlook = build_context(notification, ruleset, facts, now)
    recipient = outlook.subject.recipient
    rendered = [
        (planned, render(planned, notification, recipient, ruleset, now))
        for planned in decision.deliveries
    ]
    walks = not outlook.is_own_act and not is_too_late(notification, facts)
    return Trace(
        version=ruleset.version,
        notification=_introduce(notification, examine(notification, ruleset)),
        rules=list(_retell(outlook.subject, ruleset, walks=walks)),
        deliveries=[_show(planned, words.content, outlook.subject) for planned, words in rendered],
        duplicates=[
            TracedDuplicate(rule=duplicate.rule, channel=duplicate.channel, stands=duplicate.stands)
            for duplicate in decision.duplicates
        ],
        reason=decision.reason,
        faults=sum(words.faults for _, words in rendered),
    )


def find_near_misses(
    notification: Notification, ruleset: Ruleset, facts: DecisionState, now: float
) -> tuple[str, ...]:
    """Return the names of the rules that one part of their condition alone kept from matching."""
    subject = build_context(notification, ruleset, facts, now).subject
    return tuple(rule.name for rule in ruleset.rules if _miss_rule(rule, subject))


def _retell(subject: ConditionSubject, ruleset: Ruleset, *, walks: bool) -> Iterator[TracedRule]:
    """Yield every rule of the file, by its own condition and without the index."""
    ended: Rule | None = None
    for rule in ruleset.rules:
        held = rule.when.holds(subject)
        is_below = ended is not None and rule.owner == ended.owner
        matched = held and walks and not is_below
        ends = ("drop" if rule.drop else "stop" if rule.stop else "") if matched else ""
        yield TracedRule(
            name=rule.name,
            place=str(rule.place),
            matched=matched,
            reached=walks and not is_below,
            ended_by=ended.name if ended is not None and is_below else "",
            ends=ends,
            tests=_tests(rule.when, subject),
            near_miss=_miss_rule(rule, subject),
            steps=list(_steps(rule, subject)) if held else [],
        )
        if ends:
            ended = rule


def _steps(rule: Rule, subject: ConditionSubject) -> Iterator[TracedStep]:
    for step in rule.send:
        if step.when is not None:
            yield TracedStep(
                channel=step.channel,
                place=str(step.place),
                held=step.when.holds(subject),
                tests=_tests(step.when, subject),
                near_miss=_miss_step(rule, step.channel, step.when, subject),
            )


def _tests(condition: Condition, subject: ConditionSubject) -> list[TracedTest]:
    return [
        TracedTest(field=test.field, place=str(test.place), held=test.held, why=test.why)
        for test in verdicts(condition, subject)
    ]


def _miss_rule(rule: Rule, subject: ConditionSubject) -> str:
    """Return the one part of a condition that failed, of several that had to hold."""
    missed = _missed(rule.when, subject)
    is_near = missed and isinstance(rule.when, All) and len(rule.when.parts) > 1
    return f"`{rule.name}` failed only on {missed}" if is_near else ""


def _miss_step(rule: Rule, channel: str, when: Condition, subject: ConditionSubject) -> str:
    """Return the one part of a step's condition that failed; that of its rule held."""
    missed = _missed(when, subject)
    return f"`{rule.name}` to {channel} failed only on {missed}" if missed else ""


def _missed(condition: Condition, subject: ConditionSubject) -> str:
    """Return why the only part failed that did; empty for none or several."""
    parts = condition.parts if isinstance(condition, All) else (condition,)
    failed = [part for part in parts if not part.holds(subject)]
    if len(failed) != 1:
        return ""
    return "; ".join(test.why for test in verdicts(failed[0], subject) if not test.held)


def _introduce(notification: Notification, classified: Classified) -> dict[str, Json]:
    return {
        "kind": notification.kind,
        "why": _why(notification, classified),
        "guessed": notification.guessed,
        "feed": notification.feed,
        "recipient": notification.uid,
        "appId": notification.app_id,
        "sender": notification.sender,
        "conversation": notification.conversation,
        "reply": notification.reply,
        "mention": notification.mention,
        "occurred_at": notification.occurred_at,
    }


def _why(notification: Notification, classified: Classified) -> str:
    """Return what made the kind what it is."""
    if classified.fault:
        return f"{_why_told(notification)}; classify failed at {classified.fault}"
    if classified.by is not None:
        return f"classify says so at {classified.by.place}"
    return _why_told(notification)


def _why_told(notification: Notification) -> str:
    if notification.kind == "digest":
        return f"it arrived by the {notification.feed} feed"
    if notification.kind == "call":
        return "type is call"
    if not notification.guessed:
        return "read from the message object"
    signs = {"group_action": "tag is the group's id", "reaction": "the body says `Reacted to`"}
    sign = signs.get(notification.kind, "nothing says otherwise")
    return f"detected from the texts, without a message object: {sign}"


def _unless(watch: WaitCondition | None) -> list[str]:
    if watch is None:
        return []
    clauses = [*map(str, watch.clauses), *(["call over"] if watch.ring else [])]
    return list(dict.fromkeys(clauses))


def _defer(planned: PlannedDelivery, subject: ConditionSubject) -> str:
    if not planned.deferred_by:
        return ""
    zone = subject.calendar.zone(planned.deferred_by)
    time = datetime.fromtimestamp(planned.due_at, zone)
    return f"to {time:%H:%M} {zone} by {planned.deferred_by}"


def _show(planned: PlannedDelivery, words: Content, subject: ConditionSubject) -> TracedDelivery:
    return TracedDelivery(
        id=planned.id,
        rule=planned.rule,
        step=planned.step,
        channel=planned.channel,
        to=planned.address,
        state=planned.state,
        reason=planned.reason,
        due=planned.due_at,
        expires=planned.expires_at,
        deferred=_defer(planned, subject),
        unless=_unless(planned.watch),
        stands_by=planned.watch is not None and planned.watch.stands_by,
        priority=planned.priority,
        privacy=planned.privacy,
        collapse=planned.collapse,
        operation=planned.operation,
        original=planned.original,
        title=words.title,
        body=words.body,
        data=words.data,
        link=words.link,
        image=words.image,
        sound=words.sound,
        badge=words.badge,
    )
