"""Why a notification went where it went: the decision retold test by test."""

from msgspec import Struct

from router.core.facts import Facts
from router.core.notification import Notification
from router.core.payload import Json
from router.core.ruleset import Ruleset


class TracedTest(Struct, frozen=True, kw_only=True):
    """One test of a rule: `place` is `file:line:column`, `why` is for people."""

    field: str
    place: str
    held: bool
    why: str


class TracedRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule: whether it matched, how its tests went, and by what it nearly matched."""

    name: str
    matched: bool
    tests: list[TracedTest]
    near_miss: str = ""


class TracedDelivery(Struct, frozen=True, kw_only=True):
    """One delivery as it would go out; `due` and `expires` are epoch seconds."""

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


class Trace(Struct, frozen=True, kw_only=True):
    """What `router explain --format json` prints."""

    notification: dict[str, Json]
    rules: list[TracedRule]
    deliveries: list[TracedDelivery]
    reason: str
    faults: int


def explain(notification: Notification, ruleset: Ruleset, facts: Facts, now: float) -> Trace:
    """Return the decision with every test and every word; pure, as `decide` is."""
    raise NotImplementedError
