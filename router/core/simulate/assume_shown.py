"""What an explanation supposes that nobody knows: that what is edited or deleted was shown."""

from msgspec import structs

from router.core.decide.decide import decide
from router.core.decide.retraction import to_prior_delivery
from router.core.model.facts import DecisionState
from router.core.model.notification import Notification, is_change
from router.core.rules.ruleset import Ruleset


def assume_original_delivered(
    notification: Notification, ruleset: Ruleset, facts: DecisionState, now: float
) -> DecisionState:
    """Return facts in which the message of an edit or a deletion was shown, by the same rules."""
    if not is_change(notification):
        return facts
    message = structs.replace(notification, id=f"{notification.id}-original", kind="message")
    about = notification.topic
    shown = {}
    for planned in decide(message, ruleset, facts, now).deliveries:
        channel = ruleset.channels[planned.channel]
        named = channel.updates or channel.retracts
        if planned.state == "waiting":
            shown[planned.id] = to_prior_delivery(planned, message, "delivered", named=named)
    return structs.replace(facts, earlier={about: shown})
