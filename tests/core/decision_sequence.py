"""Notifications decided on one after another, as the planner does."""

from msgspec.structs import replace

from router.core.decide.decide import decide
from router.core.decide.planned import PlannedDelivery
from router.core.decide.render import render
from router.core.model.facts import DecisionState, Recipient
from router.core.model.notification import Notification
from router.core.model.payload import Json
from router.core.rules.ruleset import Ruleset
from tests.core.notifications import NOON, push
from tests.core.rulesets import ANN, rulebook, world


class Play:
    """What became of each delivery so far."""

    def __init__(self, rules: str, *recipients: Recipient) -> None:
        self.ruleset: Ruleset = rulebook(rules)
        self.facts: DecisionState = world(*(recipients or (ANN,)))
        self.deliveries: dict[str, PlannedDelivery] = {}
        self.told: dict[str, Notification] = {}

    def hear(self, notification: Notification, after: float = 0.0) -> tuple[PlannedDelivery, ...]:
        id_ = f"n{len(self.told) + 1}"
        notification = replace(notification, id=id_)
        decision = decide(notification, self.ruleset, self.facts, NOON + after)
        self.facts.apply_changes(decision.effects)
        self.told[id_] = notification
        self.deliveries |= {planned.id: planned for planned in decision.deliveries}
        for ending in decision.effects.endings:
            old = self.deliveries[ending.delivery]
            assert old.state == "waiting", "only what waits is ended"
            self.deliveries[old.id] = replace(old, state=ending.state, reason=ending.reason)
        return decision.deliveries

    def tag(self, number: int, after: float = 0.0, **details: Json) -> tuple[PlannedDelivery, ...]:
        return self.hear(push(tag=str(number), **details), after)

    def ends(self) -> list[str]:
        return [each.reason or each.state for each in self.deliveries.values()]

    def summaries(self) -> list[PlannedDelivery]:
        return [each for each in self.deliveries.values() if each.count and not each.reason]

    def words(self, planned: PlannedDelivery) -> tuple[str, str]:
        notification = self.told[planned.id.split("-")[0]]
        recipient = self.facts.recipient(notification.app_id, notification.uid)
        content = render(planned, notification, recipient, self.ruleset, NOON).content
        return content.title, content.body
