"""What a payload is said to be: `classify` entries overrule what was told from it."""

from collections.abc import Mapping
from typing import get_args

from msgspec import Struct, structs

from router.core.conditions.condition import ConditionSubject
from router.core.conditions.fields import FIELDS
from router.core.conditions.hours import Calendar
from router.core.model.facts import Recipient
from router.core.model.notification import (
    Kind,
    Notification,
    apply_classification,
    reset_classification,
)
from router.core.rules.ruleset import Classifier, Ruleset
from router.core.templates.context import visible
from router.core.templates.template import TemplateRenderError

KINDS: tuple[str, ...] = tuple(kind for kind in get_args(Kind) if kind != "digest")
"""What a push can be; digests come by feeds of their own."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "kind": KINDS,
    "type": FIELDS["type"].values,
    "callAction": FIELDS["callAction"].values,
    "callType": FIELDS["callType"].values,
}
"""What `as` can say of which only a few words are known."""

KEYS = (*WORDS, "sessionId")
"""Everything `as` can say."""


class Classified(Struct, frozen=True, kw_only=True):
    """A notification as it is to be decided, and what made it so.

    `by` is the entry whose `when` held, None where none did. With a `fault` its values could
    not be used, and the notification is as its payload tells. `mismatches` are the fields
    whose value was of the wrong type for a test.
    """

    notification: Notification
    by: Classifier | None = None
    fault: str = ""
    mismatches: tuple[str, ...] = ()


def classify(notification: Notification, ruleset: Ruleset) -> Notification:
    """Return the notification as the first `classify` entry that holds says; pure."""
    return examine(notification, ruleset).notification


def examine(notification: Notification, ruleset: Ruleset) -> Classified:
    """Return what `classify` does, and why.

    The payload is judged as it came, whatever was said of it before, as of the time it was
    accepted: the same rules always say the same. Digests are never overruled.
    """
    unclassified = reset_classification(notification)
    if not ruleset.classify or unclassified.kind == "digest":
        return Classified(notification=unclassified)
    nobody, now = (
        Recipient(app_id=unclassified.app_id, uid=unclassified.uid),
        unclassified.accepted_at,
    )
    subject = ConditionSubject(
        notification=unclassified,
        recipient=nobody,
        vars={},
        now=now,
        calendar=Calendar(ruleset.hours, nobody, now),
    )
    by = next((entry for entry in ruleset.classify if entry.when.holds(subject)), None)
    result = Classified(notification=unclassified, by=by, mismatches=tuple(subject.mismatches))
    if by is None:
        return result
    try:
        words = _render_words(by, subject, ruleset)
    except (TemplateRenderError, _UnknownWord) as fault:
        return structs.replace(result, fault=f"{by.place}: {fault}")
    return structs.replace(result, notification=apply_classification(unclassified, words))


class _UnknownWord(Exception):  # noqa: N818 - it says what a word is
    """A word that is none of those known."""


def _render_words(entry: Classifier, subject: ConditionSubject, ruleset: Ruleset) -> dict[str, str]:
    """Return what an entry says; a value that comes out empty says nothing."""
    told, who = subject.notification, subject.recipient
    names = visible(told, who, subject.vars, subject.now, ruleset.assumed)
    words = {name: template.render(names).strip() for name, template in entry.says.items()}
    for name, value in words.items():
        allowed = WORDS.get(name)
        if allowed is not None and value not in allowed and (value or name == "kind"):
            raise _UnknownWord(f'unknown value "{value[:60]}" for {name}')
    if words.get("type") and (words["type"] == "call") is not (words["kind"] == "call"):
        raise _UnknownWord(f'type "{words["type"]}" does not fit kind "{words["kind"]}"')
    return {name: value for name, value in words.items() if value}
