"""Warnings about `unless` that says nothing, or never holds."""

from collections.abc import Iterable, Iterator

from router.core.conditions.payload_shapes import number_shapes
from router.core.errors import Problem
from router.core.model.unless import WaitClause
from router.core.rules.ruleset import Rule, Ruleset, Step


def find_idle_clauses(
    ruleset: Ruleset, steps: Iterable[tuple[Rule, Step, int]]
) -> Iterator[Problem]:
    """Yield what is wrong with the clauses of steps, each with the situations it can be in."""
    calls = sum(1 << n for situation, n in number_shapes().items() if situation[1] == "call")
    senders = _find_senders(ruleset)
    for rule, step, may in steps:
        for clause in step.unless:
            if clause.delivered:
                yield from _check_channel(rule, step, clause, senders)
            if clause.call and not may & calls:
                message = f'rule "{rule.name}" matches no call, so nothing is heard of one'
                yield _warn(step, message, 'leave "call" out of unless')
        if step.after is None and step.quiet is None and _is_at_once(step):
            message = f'this step of rule "{rule.name}" goes before anything makes it needless'
            yield _warn(step, message, "give it an after")


def _find_senders(ruleset: Ruleset) -> dict[str, set[tuple[str, int]]]:
    """Return by channel the steps that send to it, each as its rule and ordinal."""
    senders: dict[str, set[tuple[str, int]]] = {}
    for rule in ruleset.rules:
        for ordinal, step in enumerate(rule.send):
            senders.setdefault(step.channel, set()).add((rule.name, ordinal))
    return senders


def _check_channel(
    rule: Rule, step: Step, clause: WaitClause, senders: dict[str, set[tuple[str, int]]]
) -> Iterator[Problem]:
    channel = clause.delivered
    own = (rule.name, next(n for n, each in enumerate(rule.send) if each is step))
    others = senders.get(channel, set()) - {own}
    if not others:
        message = f"no other step sends to {channel}, so nothing is delivered over it"
        yield _warn(step, message, "name a channel that another step sends to")
    elif all(name != rule.name for name, _ in others):
        message = f'no other step of rule "{rule.name}" sends to {channel}'
        yield _warn(step, message, "it counts only where another rule that matches does")


def _is_at_once(step: Step) -> bool:
    return bool(step.unless) and not any(clause.delivered for clause in step.unless)


def _warn(step: Step, message: str, hint: str) -> Problem:
    place = step.place
    return Problem(
        file=place.file,
        line=place.line,
        column=place.column,
        severity="warning",
        message=message,
        hint=hint,
    )
