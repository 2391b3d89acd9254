"""What `router explain` found, as a person reads it."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import NamedTuple

from msgspec import Struct
from rich.text import Text

from router.channel import Limits
from router.core.simulate.explain import Trace, TracedDelivery, TracedRule, TracedTest

MAX_WIDTH = 100
"""Columns of the widest line, as far as it can be broken."""

_MAX_TEXT_LENGTH = 300
"""Characters that are shown of a text of a message."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that move a terminal's cursor, or turn the direction of a text."""

_GLOSSES = {
    "own_act": "nobody is notified of their own acts, "
    "unless the file says `defaults: {notify_sender: true}`",
    "call_over": "the call is over",
    "no_match": "no rule matched, and `defaults: {on_no_match: …}` names no channel",
    "no_step": "rules matched, but none of their steps sends",
    "no_contact": "the recipient has no address of kind KIND",
    "opted_out": "the recipient has turned this channel off",
    "muted": "the recipient muted the conversation",
    "throttled": "the throttle of the rule is exceeded",
    "cannot_change": "the channel cannot change or remove a message that was sent",
    "not_shown": "no delivery of the message is known that could be changed or removed",
}
"""What a reason says."""


class ExplainContext(Struct, frozen=True, kw_only=True):
    """What the rules say beside the trace: kinds of address and limits, by channel; the zone."""

    kinds: Mapping[str, str]
    limits: Mapping[str, Limits]
    zone: tzinfo


class _TextLine(NamedTuple):
    mark: str
    style: str
    indent: int
    words: str


def render(
    trace: Trace, context: ExplainContext, now: float, width: int = MAX_WIDTH
) -> Iterator[Text]:
    """Yield the lines that tell what became of a payload, and why."""
    for line in _lines(trace, context, now):
        yield from _wrap(line, min(width, MAX_WIDTH))


def _lines(trace: Trace, context: ExplainContext, now: float) -> Iterator[_TextLine]:
    yield from _introduce(trace, context, now)
    yield _heading("Rules")
    for rule in trace.rules:
        yield from _rule(rule)
    if misses := [miss for rule in trace.rules if rule.reached for miss in _near_misses(rule)]:
        yield _heading("Near misses")
        yield from misses
    yield from _outcome(trace, context, now)


def _near_misses(rule: TracedRule) -> Iterator[_TextLine]:
    if rule.near_miss:
        yield _TextLine("≈", "yellow", 2, f"{rule.near_miss}   {rule.place}")
    for step in rule.steps:
        if step.near_miss:
            yield _TextLine("≈", "yellow", 2, f"{step.near_miss}   {step.place}")


def _heading(words: str) -> _TextLine:
    return _TextLine("\n", "bold", 0, words)


def _introduce(trace: Trace, context: ExplainContext, now: float) -> Iterator[_TextLine]:
    what = trace.notification
    app = f" of app {what['appId']}" if what["appId"] else ""
    yield _TextLine(
        "", "bold", 0, f"{what['feed']} · {what['kind']} · for {what['recipient']}{app}"
    )
    yield _TextLine("", "", 2, f"kind {what['kind']}: {what['why']}")
    about = (
        ("from", what["sender"]),
        ("in", what["conversation"]),
        ("", "a reply" if what["reply"] else ""),
        ("", "mentions the recipient" if what["mention"] else ""),
    )
    if values := ", ".join(f"{name} {value}".strip() for name, value in about if value):
        yield _TextLine("", "", 2, values)
    yield _TextLine("", "", 2, f"as of {clock(now, now, context.zone)}, by rules {trace.version}")


def _rule(rule: TracedRule) -> Iterator[_TextLine]:
    if not rule.reached:
        why = f" below `{rule.ended_by}`" if rule.ended_by else ""
        yield _TextLine("·", "dim", 2, f"{rule.name}   {rule.place}   not reached{why}")
        return
    ends = {"stop": "   and ends here: stop", "drop": "   and ends here, sending nothing: drop"}
    words = f"{rule.name}   {rule.place}{ends.get(rule.ends, '')}"
    yield _test_lines(rule.matched, 2, words)
    yield from _tests(rule.tests, 6)
    for step in rule.steps:
        yield _test_lines(step.held, 6, f"step {step.channel}   {_line_and_column(step.place)}")
        yield from _tests(step.tests, 10)


def _tests(tests: list[TracedTest], indent: int) -> Iterator[_TextLine]:
    for test in tests:
        yield _test_lines(test.held, indent, f"{test.why}   {_line_and_column(test.place)}")


def _test_lines(held: bool, indent: int, words: str) -> _TextLine:  # noqa: FBT001 - the verdict itself
    return _TextLine("✓", "green", indent, words) if held else _TextLine("✗", "red", indent, words)


def _line_and_column(place: str) -> str:
    """Return line and column alone: the file stands beside the rule."""
    return ":".join(place.rsplit(":", 2)[1:])


def _outcome(trace: Trace, context: ExplainContext, now: float) -> Iterator[_TextLine]:
    going = [delivery for delivery in trace.deliveries if delivery.state == "waiting"]
    staying = [each for each in trace.deliveries if each.state != "waiting"]
    yield _heading("What goes out")
    for each in going:
        yield from _delivery(each, context, now)
    if not going:
        why = "every delivery is suppressed" if trace.deliveries else explain_reason(trace.reason)
        yield _TextLine("✗", "red", 2, f"nothing: {why}")
    if staying or trace.duplicates:
        yield _heading("What does not")
    for each in staying:
        why = explain_reason(each.reason, context.kinds.get(each.channel, ""))
        yield _TextLine(
            "✗", "red", 2, f"{_destination(each)}: {each.state}, {why}   (rule {each.rule})"
        )
    for double in trace.duplicates:
        words = f"{double.channel}: rule {double.stands} already sends to it"
        yield _TextLine("·", "dim", 2, f"{words}   (rule {double.rule})")
    if trace.faults:
        count = "1 template" if trace.faults == 1 else f"{trace.faults} templates"
        yield _TextLine("!", "yellow", 2, f"{count} failed; their texts are left out")


def explain_reason(reason: str, kind: str = "") -> str:
    """Return a reason with what it means; `kind` is that of the channel's addresses."""
    gloss = _GLOSSES.get(reason, "").replace("KIND", kind)
    return f"{reason}: {gloss}" if gloss else reason


def _destination(delivery: TracedDelivery) -> str:
    return f"{delivery.channel} to {delivery.to}" if delivery.to else delivery.channel


def _delivery(delivery: TracedDelivery, context: ExplainContext, now: float) -> Iterator[_TextLine]:
    yield _TextLine(
        "→",
        "bold",
        2,
        f"{_destination(delivery)}, {due_text(delivery, now, context.zone)}"
        f"   (rule {delivery.rule})",
    )
    until = f"until {clock(delivery.expires, now, context.zone)}"
    private = "" if delivery.privacy == "none" else f", privacy {delivery.privacy}"
    yield _TextLine("", "dim", 6, f"priority {delivery.priority}, {until}{private}")
    if delivery.operation != "send":
        action = "changes" if delivery.operation == "update" else "removes"
        yield _TextLine("", "dim", 6, f"{delivery.operation}: {action} the message that was sent")
    if delivery.unless:
        yield _TextLine("", "dim", 6, f"unless {' or '.join(delivery.unless)}")
    limits = context.limits.get(delivery.channel) or Limits()
    words = (
        ("title", _cut(delivery.title, limits.title)),
        ("body", _cut(delivery.body, limits.body)),
        ("link", _cut(delivery.link)),
        ("image", _cut(delivery.image)),
        ("sound", _cut(delivery.sound)),
        ("badge", "" if delivery.badge is None else str(delivery.badge)),
        *((f"data.{name}", _cut(value)) for name, value in delivery.data.items()),
    )
    longest = max(len(name) for name, value in words if value or name == "body")
    for name, value in words:
        if value:
            yield _TextLine("", "", 6, f"{name.ljust(longest)}  {value}")


def _cut(text: str, most: int | None = None) -> str:
    """Return a text as one line of bearable length; `most` is what the provider takes."""
    line = " ".join(text.split())
    shown = line if len(line) <= _MAX_TEXT_LENGTH else f"{line[: _MAX_TEXT_LENGTH - 1]}…"
    if most is not None and len(text) > most:
        return f"{shown} ({len(text)} characters, cut to {most} when it is sent)"
    return shown if shown == line else f"{shown} ({len(text)} characters)"


def due_text(delivery: TracedDelivery, now: float, zone: tzinfo) -> str:
    """Return in words when a delivery goes out."""
    wait = delivery.due - now
    time = clock(delivery.due, now, zone)
    if delivery.stands_by:
        return f"if the deliveries before it reach nobody, at {time} at the latest"
    why = f", deferred {delivery.deferred}" if delivery.deferred else ""
    return "now" if wait < 1 else f"in {duration_text(wait)}, at {time}{why}"


def clock(epoch: float, now: float, zone: tzinfo) -> str:
    """Return a time as a clock in a zone shows it; with the day where that is not today."""
    time = datetime.fromtimestamp(epoch, zone)
    day = (
        ""
        if epoch != now and time.date() == datetime.fromtimestamp(now, zone).date()
        else "%Y-%m-%d "
    )
    return time.strftime(f"{day}%H:%M{':%S' * (time.second != 0)} {zone}")


def duration_text(seconds: float) -> str:
    """Return a duration in its two largest units."""
    left, parts = round(seconds), []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def _wrap(line: _TextLine, width: int) -> Iterator[Text]:
    """Yield a line broken to a width, what follows beneath its first word."""
    if line.mark == "\n":
        yield Text()
        yield Text(line.words, style=line.style)
        return
    words = without_control_characters(line.words)
    lead = " " * line.indent + (f"{line.mark} " if line.mark else "")
    broken = textwrap.wrap(
        words, max(20, width - len(lead)), break_long_words=False, drop_whitespace=True
    )
    style = line.style if line.mark in {"", "·"} else ""
    for number, part in enumerate(broken):
        text = Text(" " * len(lead) if number else lead, style=line.style)
        yield text.append(part, style=style or "default")


def without_control_characters(text: str) -> str:
    """Return a text that does nothing to a terminal but to stand there: it may be anybody's."""
    return _CONTROL.sub("\ufffd", text)
