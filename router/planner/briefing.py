"""What a batch of decisions has to know, read before the first of them."""

from collections.abc import Sequence

from router.core.collapse import tell_subject
from router.core.delivery import Delivery
from router.core.facts import Facts
from router.core.notification import Notification
from router.core.outlook import survey
from router.core.retraction import is_change, leave_waiting
from router.core.ruleset import Ruleset
from router.core.throttle import find_keys
from router.store.world import World


class Briefing:
    """Reads what the rules in force ask for, and no more."""

    def __init__(self, world: World) -> None:
        """Read from a world."""
        self._world = world
        self._known: Ruleset | None = None
        self._has_once = self._has_throttles = True

    async def prepare(self, batch: Sequence[Notification], ruleset: Ruleset, now: float) -> Facts:
        """Return what there is to know for a batch, and the rules it is decided by."""
        self._learn(ruleset)
        facts = await self._world.facts(batch, once=self._has_once)
        if self._has_throttles:
            outlooks = (survey(each, ruleset, facts, now) for each in batch)
            keys = {key for each in outlooks for key in find_keys(each.subject, ruleset)}
            facts.counters = await self._world.counters(keys)
        if subjects := {tell_subject(each) for each in batch if is_change(each)}:
            facts.waiting = await self._world.waiting(subjects, batch)
        return facts

    def _learn(self, ruleset: Ruleset) -> None:
        if ruleset is not self._known:
            self._known = ruleset
            self._has_once = any(step.once_per for rule in ruleset.rules for step in rule.send)
            self._has_throttles = any(rule.throttle for rule in ruleset.rules)


def note_waiting(facts: Facts, notification: Notification, deliveries: Sequence[Delivery]) -> None:
    """Let an edit later in the batch find what waits of its message."""
    if not facts.waiting:
        return
    for each in deliveries:
        if each.state == "waiting" and each.about in facts.waiting:
            facts.waiting[each.about][each.id] = leave_waiting(each, notification)
