"""What an explanation supposes that nobody knows: that what is edited or deleted was shown."""

from msgspec import structs

from router.core.decide.collapse_key import tell_subject
from router.core.decide.decide import decide
from router.core.decide.retraction import leave
from router.core.model.facts import Facts
from router.core.model.notification import Notification, is_change
from router.core.rules.ruleset import Ruleset


def suppose_shown(notification: Notification, ruleset: Ruleset, facts: Facts, now: float) -> Facts:
    """Return facts in which the message of an edit or a deletion was shown, by the same rules."""
    if not is_change(notification):
        return facts
    message = structs.replace(notification, id=f"{notification.id}-original", kind="message")
    about = tell_subject(notification)
    shown = {}
    for planned in decide(message, ruleset, facts, now).deliveries:
        channel = ruleset.channels[planned.channel]
        named = channel.updates or channel.retracts
        if planned.state == "waiting":
            shown[planned.id] = leave(planned, message, "delivered", named=named)
    return structs.replace(facts, earlier={about: shown})
