"""Why a notification went where it went: the decision retold test by test."""

from collections.abc import Iterator

from msgspec import Struct

from router.core.classification import Classified, examine
from router.core.condition import All, Condition, Subject, verdicts
from router.core.decision import decide
from router.core.facts import Facts
from router.core.message import Content
from router.core.notification import Notification
from router.core.outlook import Outlook, survey
from router.core.payload import Json, scalar
from router.core.planned import Planned
from router.core.rendering import render
from router.core.ruleset import Rule, Ruleset


class TracedTest(Struct, frozen=True, kw_only=True):
    """One test of a rule: `place` is `file:line:column`, `why` is for people."""

    field: str
    place: str
    held: bool
    why: str


class TracedStep(Struct, frozen=True, kw_only=True):
    """A step that has a `when` of its own, of a rule that matched."""

    channel: str
    held: bool
    tests: list[TracedTest]


class TracedRule(Struct, frozen=True, kw_only=True):
    """One rule: whether it matched, how its tests went, and by what it nearly matched.

    A rule that was not `reached` stands below a `stop` or `drop` that ended the walk, or the
    walk never began.
    """

    name: str
    matched: bool
    reached: bool
    tests: list[TracedTest]
    near_miss: str = ""
    steps: list[TracedStep] = []


class TracedDelivery(Struct, frozen=True, kw_only=True):
    """One delivery as planned, with its words; `due` and `expires` are epoch seconds."""

    id: str
    rule: str
    channel: str
    to: str
    state: str
    reason: str
    due: float
    expires: float
    priority: str
    privacy: str
    collapse: str
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
    """What `router explain --format json` prints; `faults` counts templates that failed."""

    notification: dict[str, Json]
    rules: list[TracedRule]
    deliveries: list[TracedDelivery]
    duplicates: list[TracedDuplicate]
    reason: str
    faults: int


def explain(notification: Notification, ruleset: Ruleset, facts: Facts, now: float) -> Trace:
    """Return the decision with every test and every word; pure, as `decide` is."""
    decision = decide(notification, ruleset, facts, now)
    outlook = survey(notification, ruleset, facts, now)
    recipient = outlook.subject.recipient
    rendered = [
        (planned, render(planned, notification, recipient, ruleset, now))
        for planned in decision.deliveries
    ]
    return Trace(
        notification=_introduce(notification, examine(notification, ruleset)),
        rules=list(_retell(outlook, ruleset)),
        deliveries=[_show(planned, words.content) for planned, words in rendered],
        duplicates=[
            TracedDuplicate(rule=found.rule, channel=found.channel, stands=found.stands)
            for found in decision.duplicates
        ],
        reason=decision.reason,
        faults=sum(words.faults for _, words in rendered),
    )


def _retell(outlook: Outlook, ruleset: Ruleset) -> Iterator[TracedRule]:
    """Yield every rule of the file, by its own condition and without the index."""
    subject, ended = outlook.subject, None
    for rule in ruleset.rules:
        held = rule.when.holds(subject)
        reached = rule.owner != ended and not outlook.is_own_act
        yield TracedRule(
            name=rule.name,
            matched=held and reached,
            reached=reached,
            tests=_tests(rule.when, subject),
            near_miss="" if held else _near_miss(rule, subject),
            steps=list(_steps(rule, subject)) if held else [],
        )
        if held and reached and (rule.stop or rule.drop):
            ended = rule.owner


def _steps(rule: Rule, subject: Subject) -> Iterator[TracedStep]:
    for step in rule.send:
        if step.when is not None:
            yield TracedStep(
                channel=step.channel,
                held=step.when.holds(subject),
                tests=_tests(step.when, subject),
            )


def _tests(condition: Condition, subject: Subject) -> list[TracedTest]:
    return [
        TracedTest(field=test.field, place=str(test.place), held=test.held, why=test.why)
        for test in verdicts(condition, subject)
    ]


def _near_miss(rule: Rule, subject: Subject) -> str:
    """Return the one part of a condition that failed, of several that had to hold."""
    if not isinstance(rule.when, All):
        return ""
    failed = [part for part in rule.when.parts if not part.holds(subject)]
    if len(failed) != 1 or len(rule.when.parts) == 1:
        return ""
    whys = [test.why for test in verdicts(failed[0], subject) if not test.held]
    return f"`{rule.name}` failed only on {'; '.join(whys)}" if whys else ""


def _introduce(notification: Notification, found: Classified) -> dict[str, Json]:
    return {
        "kind": notification.kind,
        "why": _why(notification, found),
        "guessed": notification.guessed,
        "feed": notification.feed,
        "recipient": notification.uid,
        "appId": notification.app_id,
        "sender": scalar(notification.details.get("sender")),
        "conversation": notification.conversation,
        "reply": notification.reply,
        "mention": notification.mention,
        "occurred_at": notification.occurred_at,
    }


def _why(notification: Notification, found: Classified) -> str:
    """Return what made the kind what it is."""
    if found.fault:
        return f"{_why_told(notification)}; classify failed at {found.fault}"
    if found.by is not None:
        return f"classify says so at {found.by.place}"
    return _why_told(notification)


def _why_told(notification: Notification) -> str:
    if notification.feed != "push":
        return f"it came by the {notification.feed} feed"
    if notification.kind == "call":
        return "type is call"
    if not notification.guessed:
        return "told from the message object"
    signs = {"group_action": "tag is the group's id", "reaction": "the body says `Reacted to`"}
    sign = signs.get(notification.kind, "nothing says otherwise")
    return f"a guess, for want of a message object: {sign}"


def _show(planned: Planned, words: Content) -> TracedDelivery:
    return TracedDelivery(
        id=planned.id,
        rule=planned.rule,
        channel=planned.channel,
        to=planned.address,
        state=planned.state,
        reason=planned.reason,
        due=planned.due_at,
        expires=planned.expires_at,
        priority=planned.priority,
        privacy=planned.privacy,
        collapse=planned.collapse,
        title=words.title,
        body=words.body,
        data=words.data,
        link=words.link,
        image=words.image,
        sound=words.sound,
        badge=words.badge,
    )
