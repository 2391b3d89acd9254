"""What deciding costs, by the number of rules."""

import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.measurement import MICRO, Effort, Line, Report, Round, Tell, percentile
from benchmarks.rulefile import write_rules
from router.core.decide.decide import Decision, decide
from router.core.decide.render import render
from router.core.model.facts import Contact, DecisionState, Device, Recipient
from router.core.model.notification import Notification, derive
from router.core.model.payload import decode
from router.core.rules.ruleset import Ruleset
from router.registry import load_plugins
from router.rulebook.files import read_rules
from router.samples import SAMPLE_NAMES, read_recipients, read_sample, restamp

RULES = (10, 100, 500)
BUDGET = 25
VARIANTS = 40
"""How often each sample comes, with another text each time."""


async def measure(effort: Effort, folder: Path, tell: Tell) -> Report:
    """Decide the samples again and again in this process; what is decided is rendered apart."""
    rounds: dict[str, list[Round]] = {f"{count} rules": [] for count in RULES}
    rulesets = {f"{count} rules": _read(folder, count) for count in RULES}
    notifications, facts = _notifications(), _facts()
    for number in range(effort.rounds):
        tell(f"decision: round {number + 1} of {effort.rounds}")
        for name, ruleset in rulesets.items():
            rounds[name].append(_measure(notifications, ruleset, facts, effort.decisions))
    most = rounds[f"{RULES[-1]} rules"]
    lines = [
        Line(
            what="a decision by 500 rules, median",
            value=percentile([each["decide p50 µs"] for each in most], 0.5),
            unit="µs",
            at_most=BUDGET,
        )
    ]
    return Report(name="decision", title="Deciding", lines=lines, rounds=rounds)


def _measure(
    notifications: list[Notification], ruleset: Ruleset, facts: DecisionState, count: int
) -> Round:
    decided: list[float] = []
    rendered: list[float] = []
    for notification in islice(cycle(notifications), count):
        began = time.perf_counter()
        decision = decide(notification, ruleset, facts, notification.accepted_at)
        decided.append(time.perf_counter() - began)
        rendered += _render(decision, notification, ruleset, facts)
    return {
        "decide p50 µs": percentile(decided, 0.5) * MICRO,
        "decide p99 µs": percentile(decided, 0.99) * MICRO,
        "render a message p50 µs": percentile(rendered, 0.5) * MICRO,
        "render a message p99 µs": percentile(rendered, 0.99) * MICRO,
    }


def _render(
    decision: Decision, notification: Notification, ruleset: Ruleset, facts: DecisionState
) -> list[float]:
    times = []
    recipient = facts.recipient(notification.app_id, notification.uid)
    for planned in decision.deliveries:
        began = time.perf_counter()
        render(planned, notification, recipient, ruleset, notification.accepted_at)
        times.append(time.perf_counter() - began)
    return times


def _read(folder: Path, count: int) -> Ruleset:
    path = folder / f"{count}.yaml"
    path.write_text(write_rules(count), encoding="utf-8")
    loaded = read_rules(path, load_plugins(None).schemas, sandbox=True).loaded
    if loaded.ruleset is None:
        raise RuntimeError("\n".join(map(str, loaded.problems)))
    return loaded.ruleset


def _notifications() -> list[Notification]:
    """Return the samples many times over, each with a text of its own, so that none is known."""
    now = time.time()
    return [_write(name, number, now) for number in range(VARIANTS) for name in SAMPLE_NAMES]


def _write(name: str, number: int, now: float) -> Notification:
    sample: Any = restamp(read_sample(name), now=now, story="benchmarks")
    details = sample["data"].get("notificationDetails", {})
    if "body" in details:
        details["body"] += f" {number}"
    return derive(decode(msgspec.json.encode(sample)), id=name, accepted_at=now)


def _facts() -> DecisionState:
    facts = DecisionState()
    for person in read_recipients():
        app_id, device = person.profile["appId"], Device(platform=person.devices[0]["platform"])
        contacts = [
            Contact(id=kind, kind=kind, address=address)
            for kind, address in person.profile["contacts"].items()
        ]
        contacts.append(
            Contact(id="push", kind="push", address=f"token-of-{person.uid}", device=device)
        )
        facts.recipients[app_id, person.uid] = Recipient(
            app_id=app_id,
            uid=person.uid,
            contacts=tuple(contacts),
            attributes=person.profile["attributes"],
        )
    return facts
