"""What a sound ruleset may still get wrong: rules that never match, steps that never count."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations, groupby

from msgspec import Struct

from router.core.conditions.condition import All, Condition, Not, Test
from router.core.conditions.implication import (
    ConditionFacts,
    ConditionIndex,
    excludes,
    implies,
    normalise_condition,
)
from router.core.conditions.operators import EQUALITY
from router.core.conditions.payload_shapes import ShapeAnalyzer, is_ringing, number_shapes
from router.core.errors import Place, Problem
from router.core.model.unless import WaitClause
from router.core.rules.ruleset import Rule, Ruleset, Step

MAX_COMPARED_PARTS = 50
"""So many parts of one condition are held against each other."""


class _AnalyzedRule(Struct, frozen=True):
    """A rule with what it asks for."""

    rule: Rule
    claim: ConditionFacts


class _AnalyzedStep(Struct, frozen=True):
    """A step with what it takes to get to it."""

    rule: Rule
    step: Step
    claim: ConditionFacts


def lint(ruleset: Ruleset) -> list[Problem]:
    """Return warnings about rules and channels, in no particular order."""
    reasoner = ShapeAnalyzer()
    rules = [
        _AnalyzedRule(rule, normalise_condition(rule.when, reasoner)) for rule in ruleset.rules
    ]
    dead = [(judged, _contradict(judged.claim, reasoner)) for judged in rules]
    live = [judged for judged, found in dead if found is None]
    ways = [
        _AnalyzedStep(judged.rule, step, _narrow(judged.claim, step, reasoner))
        for judged in live
        for step in judged.rule.send
    ]
    return [
        *(_warn_of_dead_rule(judged.rule, *found) for judged, found in dead if found),
        *_find_dead_steps(ways, reasoner),
        *(problem for file in _part(live) for problem in _find_shadowed(file, reasoner)),
        *(problem for file in _part(live) for problem in _find_late_drops(file)),
        *_find_guesses(ruleset.rules),
        *_find_throttled(live),
        *_find_duplicates(ways),
        *_find_quiet_rings(ways, reasoner),
        *_find_unused(ruleset),
        *find_idle_clauses(ruleset, ((way.rule, way.step, way.claim.may) for way in ways)),
    ]


def _narrow(claim: ConditionFacts, step: Step, reasoner: ShapeAnalyzer) -> ConditionFacts:
    if step.when is None:
        return claim
    return normalise_condition(All((*claim.parts, step.when)), reasoner)


def _warn_of_dead_rule(rule: Rule, place: Place, why: str) -> Problem:
    return _warn(place, f'rule "{rule.name}" can never match{why}')


def _find_dead_steps(ways: list[_AnalyzedStep], reasoner: ShapeAnalyzer) -> Iterator[Problem]:
    for step in ways:
        if step.step.when is not None and (contradiction := _contradict(step.claim, reasoner)):
            place, why = contradiction
            yield _warn(place, f'a step of rule "{step.rule.name}" is never taken{why}')


def _contradict(claim: ConditionFacts, reasoner: ShapeAnalyzer) -> tuple[Place, str] | None:
    """Return where and why a claim contradicts itself; None if it does not, as far as is seen."""
    parts = [
        (part, normalise_condition(part, reasoner)) for part in claim.parts[:MAX_COMPARED_PARTS]
    ]
    for (left, asked), (right, also) in combinations(parts, 2):
        if excludes(asked, also):
            place = max(_places_of(left) + _places_of(right), key=lambda p: (p.line, p.column))
            text = f"{_say(left)} and {_say(right)}"
            return place, f": no payload has both {text}"
    if claim.may:
        return None
    return _places_of(All(claim.parts))[0], ""


def _places_of(condition: Condition) -> list[Place]:
    match condition:
        case Test():
            return [condition.place]
        case Not(part=part):
            return _places_of(part)
        case _:
            return [place for part in condition.parts for place in _places_of(part)]


def _say(condition: Condition) -> str:
    match condition:
        case Test():
            return f"{condition.field} {condition.wants}"
        case Not(part=part):
            return f"not {_say(part)}"
        case All(parts=parts):
            return " and ".join(_say(part) for part in parts)
        case _:
            return " or ".join(_say(part) for part in condition.parts)


def _part(rules: list[_AnalyzedRule]) -> list[list[_AnalyzedRule]]:
    """Return the rules of each file apart: what ends a walk ends that over one file."""
    return [list(file) for _, file in groupby(rules, lambda judged: judged.rule.owner)]


def _find_shadowed(rules: list[_AnalyzedRule], reasoner: ShapeAnalyzer) -> Iterator[Problem]:
    ending: ConditionIndex[Rule] = ConditionIndex()
    for judged in rules:
        for above in ending.meet(judged.claim):
            if implies(judged.claim, above.when, reasoner):
                message = f'rule "{judged.rule.name}" is never reached'
                how = "drops" if above.drop else "stops at"
                hint = f'rule "{above.name}" in line {above.place.line} {how} all it would match'
                yield _warn_of(judged.rule, message, hint)
                break
        if judged.rule.stop or judged.rule.drop:
            ending.put(judged.claim, judged.rule)


def _find_late_drops(rules: list[_AnalyzedRule]) -> Iterator[Problem]:
    sending: ConditionIndex[Rule] = ConditionIndex()
    for judged in rules:
        above = next(sending.meet(judged.claim), None) if judged.rule.drop else None
        if above is not None:
            message = f'rule "{above.name}" sends before this rule drops'
            yield _warn_of(judged.rule, message, f"move this rule above line {above.place.line}")
        if judged.rule.send and not judged.rule.stop:
            sending.put(judged.claim, judged.rule)


def _find_guesses(rules: tuple[Rule, ...]) -> Iterator[Problem]:
    """Warn where dropping depends on a kind that is told by a text."""
    for rule in rules:
        for test in _tests(rule.when) if rule.drop else ():
            if test.field == "kind" and test.operator in EQUALITY and "reaction" in test.values:
                message = 'a reaction is detected by its text, "Reacted to …"'
                hint = "a message with this text matches too; turn message objects on in CometChat"
                yield _warn(test.place, message, hint)


def _find_throttled(rules: list[_AnalyzedRule]) -> Iterator[Problem]:
    """Warn where a throttle would hold back what cannot wait, or counts what is sent once."""
    rings = sum(1 << number for place, number in number_shapes().items() if is_ringing(place))
    for judged in rules:
        rule = judged.rule
        if rule.throttle is None or not rule.send:
            continue
        if judged.claim.may & rings:
            hint = "give calls a rule of their own, or write not: {callAction: initiated}"
            yield _warn_of(rule, f'the throttle of rule "{rule.name}" delays or drops calls', hint)
        if rule.throttle.by_recipient and any(step.once_per for step in rule.send):
            message = f'rule "{rule.name}" sends once for all recipients and throttles by recipient'
            yield _warn_of(rule, message, "write by: [conversation]")


def _tests(condition: Condition) -> Iterator[Test]:
    match condition:
        case Test():
            yield condition
        case Not():
            return
        case _:
            for part in condition.parts:
                yield from _tests(part)


def _find_duplicates(steps: list[_AnalyzedStep]) -> Iterator[Problem]:
    shelves: dict[tuple[str, tuple[str, ...]], ConditionIndex[Rule]] = defaultdict(ConditionIndex)
    for step in steps:
        shelf = shelves[step.step.channel, step.step.to]
        others = (rule for rule in shelf.meet(step.claim) if _may_precede(rule, step.rule))
        if above := next(others, None):
            place, channel = above.place, step.step.channel
            where = f"line {place.line}"
            if above.owner != step.rule.owner:
                where += f" of {place.file}"
            message = f'rule "{above.name}" in {where} sends to {channel} as well'
            hint = "if both match, that step is used and this one is not"
            yield _warn(step.step.place, message, hint)
        shelf.put(step.claim, step.rule)


def _may_precede(above: Rule, rule: Rule) -> bool:
    """Return whether a walk that met one rule may meet the other."""
    return above is not rule and not (above.stop and above.owner == rule.owner)


def _find_quiet_rings(ways: list[_AnalyzedStep], reasoner: ShapeAnalyzer) -> Iterator[Problem]:
    for step in ways:
        quiet = step.step.quiet
        if quiet is not None and quiet.mode == "defer" and not step.claim.may & ~reasoner.rings:
            message = f"a ring cannot wait: in the hours {quiet.hours} this step is dropped"
            hint = f"if this is intended, write quiet: {{hours: {quiet.hours}, mode: drop}}"
            yield _warn(step.step.place, message, hint)


def _find_unused(ruleset: Ruleset) -> Iterator[Problem]:
    used = {step.channel for rule in ruleset.rules for step in rule.send}
    used.update(ruleset.defaults.on_no_match)
    for name, spec in ruleset.channels.items():
        if name not in used:
            message = f"no rule sends to channel {name}"
            yield _warn(spec.place, message, "remove it, or name it in a rule", length=len(name))


def _warn_of(rule: Rule, message: str, hint: str) -> Problem:
    return _warn(rule.place, message, hint, length=len(rule.name))


def _warn(place: Place, message: str, hint: str = "", *, length: int = 1) -> Problem:
    return Problem(
        file=place.file,
        line=place.line,
        column=place.column,
        severity="warning",
        message=message,
        hint=hint,
        length=length,
    )


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
                yield _warn(step.place, message, 'leave "call" out of unless')
        if step.after is None and step.quiet is None and _is_at_once(step):
            message = f'this step of rule "{rule.name}" goes before anything makes it needless'
            yield _warn(step.place, message, "give it an after")


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
    own = (rule.name, next(n for n, sent in enumerate(rule.send) if sent is step))
    others = senders.get(channel, set()) - {own}
    if not others:
        message = f"no other step sends to {channel}, so nothing is delivered over it"
        yield _warn(step.place, message, "name a channel that another step sends to")
    elif all(name != rule.name for name, _ in others):
        message = f'no other step of rule "{rule.name}" sends to {channel}'
        yield _warn(step.place, message, "it counts only where another rule that matches does")


def _is_at_once(step: Step) -> bool:
    return bool(step.unless) and not any(clause.delivered for clause in step.unless)
