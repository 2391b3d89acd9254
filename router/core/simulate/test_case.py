"""A test of the rules: what happens over time, and what must and must not go out."""

from msgspec import Struct

from router.core.errors import Place
from router.core.model.facts import Contact, Recipient, Scalar
from router.core.model.message import Content
from router.core.model.notification import Notification
from router.core.model.types import Operation, Priority


class TestRecipient(Struct, frozen=True, kw_only=True):
    """What a test says of its recipients; `contacts` are those of the kinds it names."""

    attributes: dict[str, Scalar] = {}
    contacts: dict[str, tuple[str, ...]] = {}
    timezone: str = ""
    locale: str = ""
    country: str = ""
    muted: dict[str, float] = {}
    opt_outs: frozenset[str] = frozenset()

    def to_recipient(self, app_id: str, uid: str, kinds: frozenset[str]) -> Recipient:
        """Return the recipient of that name, with one contact of every kind that is not told."""
        told = {kind: (f"(their {kind} address)",) for kind in kinds} | self.contacts
        contacts = tuple(
            Contact(id=f"{uid}-{kind}-{number}", kind=kind, address=address)
            for kind, addresses in sorted(told.items())
            for number, address in enumerate(addresses)
        )
        return Recipient(
            app_id=app_id,
            uid=uid,
            contacts=contacts,
            attributes=self.attributes,
            timezone=self.timezone,
            locale=self.locale,
            country=self.country,
            muted=self.muted,
            opt_outs=self.opt_outs,
        )


class TestEvent(Struct, frozen=True, kw_only=True):
    """Something that happens at a time (epoch seconds): a payload comes, or one is read.

    With `is_read` the recipient has read the notification, which came before.
    """

    at: float
    notification: Notification
    is_read: bool = False


class ExpectedMessage(Struct, frozen=True, kw_only=True):
    """One message that must go out, or must not; None and absent keys leave it open.

    `at` counts seconds since the test begins.
    """

    place: Place
    at: float | None = None
    uid: str | None = None
    rule: str | None = None
    channel: str | None = None
    to: str | None = None
    priority: Priority | None = None
    operation: Operation | None = None
    words: dict[str, str] = {}
    """Of a content's texts; the badge as it is written."""
    data: dict[str, str] = {}

    def fits(self, sent: "SentMessage", began: float) -> bool:
        """Return whether it speaks of a message."""
        is_silent = sent.by_itself and self.operation is None
        return not is_silent and not self.differences(sent, began)

    def differences(self, sent: "SentMessage", began: float) -> list[str]:
        """Return in words what of a message is not as expected."""
        comparisons: list[tuple[str, object, object]] = [
            ("uid", self.uid, sent.uid),
            ("rule", self.rule, sent.rule),
            ("channel", self.channel, sent.channel),
            ("to", self.to, sent.to),
            ("priority", self.priority, sent.priority),
            ("operation", self.operation, sent.operation),
            *((name, text, word(sent.content, name)) for name, text in self.words.items()),
            *((f"data.{key}", text, sent.content.data.get(key)) for key, text in self.data.items()),
        ]
        mismatches = [
            f"{name} is {show(is_)}, wants {show(wants)}"
            for name, wants, is_ in comparisons
            if wants is not None and wants != is_
        ]
        at = sent.at - began
        if self.at is not None and abs(at - self.at) >= 1:
            mismatches.append(f"at is {at:.0f}s, wants {self.at:.0f}s")
        return mismatches


class SentMessage(Struct, frozen=True, kw_only=True):
    """A message that went out at a time (epoch seconds), or what became of one that did.

    What was taken back `by_itself`, since no rule said so, is no message: only an expectation that
    names its operation speaks of it.
    """

    at: float
    uid: str
    rule: str
    channel: str
    to: str
    priority: Priority
    operation: Operation = "send"
    by_itself: bool = False
    content: Content


class RuleTest(Struct, frozen=True, kw_only=True):
    """One test; it begins `at` an epoch second.

    `refused` are channels whose providers take nothing. With `exact` nothing but what is
    expected may go out.
    """

    name: str
    place: Place
    at: float
    person: TestRecipient = TestRecipient()
    people: dict[str, TestRecipient] = {}
    """Recipients of whom the test says something of their own, by uid."""
    refused: frozenset[str] = frozenset()
    events: tuple[TestEvent, ...] = ()
    expect: tuple[ExpectedMessage, ...] = ()
    expect_not: tuple[ExpectedMessage, ...] = ()
    exact: bool = False


def word(content: Content, name: str) -> str:
    """Return one of a content's texts; a badge as it is written, empty where there is none."""
    value = getattr(content, name)
    return "" if value is None else str(value)


def show(value: object) -> str:
    """Return a value as a test file writes it."""
    return "absent" if value is None else f'"{value}"'
