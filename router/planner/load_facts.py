"""What a batch of decisions has to know, read before the first of them."""

from collections.abc import Sequence

from router.core.decide.evaluation import build_context
from router.core.decide.retraction import changes_something, to_prior_delivery
from router.core.decide.throttle import find_keys
from router.core.model.call import name_missed
from router.core.model.delivery import OPEN_STATES, Delivery
from router.core.model.facts import DecisionState, DeliveryProgress
from router.core.model.notification import Notification
from router.core.rules.ruleset import Ruleset
from router.store.facts_reader import FactsReader


class StateLoader:
    """Reads what the rules in force ask for, and no more."""

    def __init__(self, world: FactsReader) -> None:
        """Read from a world."""
        self._world = world
        self._known: Ruleset | None = None
        self._has_once = self._has_throttles = True

    async def prepare(
        self, batch: Sequence[Notification], ruleset: Ruleset, now: float
    ) -> DecisionState:
        """Return what there is to know for a batch, and the rules it is decided by."""
        self._add_planned(ruleset)
        facts = await self._world.facts(batch, self._events(batch))
        if self._has_throttles:
            outlooks = (build_context(notification, ruleset, facts, now) for notification in batch)
            keys = {key for outlook in outlooks for key in find_keys(outlook.subject, ruleset)}
            facts.counters = await self._world.counters(keys)
        if changing := [notification for notification in batch if changes_something(notification)]:
            facts.earlier = await self._world.earlier(changing)
            rung = {
                (notification.app_id, notification.uid)
                for deliveries in facts.earlier.values()
                for notification in deliveries.values()
                if notification.urgent
            }
            if others := rung.difference(facts.recipients):
                facts.recipients |= await self._world.recipients(others)
        return facts

    def _events(self, batch: Sequence[Notification]) -> set[str]:
        """Return the events of which a step may hold a once-key."""
        events = {notification.event for notification in batch} if self._has_once else set()
        missed = (
            name_missed(notification, for_all=for_all)
            for notification in batch
            for for_all in (True, False)
        )
        return events.union(filter(None, missed))

    def _add_planned(self, ruleset: Ruleset) -> None:
        if ruleset is not self._known:
            self._known = ruleset
            self._has_once = any(step.once_per for rule in ruleset.rules for step in rule.send)
            self._has_throttles = any(rule.throttle for rule in ruleset.rules)


def note_planned(
    facts: DecisionState, notification: Notification, deliveries: Sequence[Delivery]
) -> None:
    """Let what comes later in the batch find what was planned of its message or call."""
    if not facts.earlier:
        return
    for delivery in deliveries:
        if delivery.about in facts.earlier and delivery.state in OPEN_STATES:
            state: DeliveryProgress = "sending" if delivery.state == "sending" else "waiting"
            facts.earlier[delivery.about][delivery.id] = to_prior_delivery(
                delivery, notification, state
            )
