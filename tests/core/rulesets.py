"""Rulesets, recipients and facts to decide with."""

from router.core.decide.decide import Decision, decide
from router.core.decide.planned import PlannedDelivery
from router.core.model.facts import Contact, DecisionState, Device, Recipient
from router.core.model.notification import Notification
from router.core.rules.ruleset import Ruleset
from tests.core.notifications import NOON
from tests.core.plugin_schemas import load_text

CHANNELS = """
version: 1
channels:
  app: {plugin: push}
  text: {plugin: sms, url: "${env:SMS_URL}"}
  room: {plugin: slack, url: "${env:SLACK_URL}"}
  mail: {plugin: email, url: "${env:MAIL_URL}"}
"""
PHONE = Contact(id="c1", kind="push", address="token-1", device=Device(platform="fcm_android"))
TABLET = Contact(id="c2", kind="push", address="token-2", device=Device(platform="fcm_android"))
MAIL = Contact(id="c3", kind="email", address="ann@example.com")
ANN = Recipient(app_id="app", uid="ann", contacts=(PHONE, TABLET, MAIL))


def rulebook(text: str) -> Ruleset:
    """Return the ruleset of a text below the channels."""
    loaded = load_text(CHANNELS + text)
    assert loaded.ruleset is not None, [str(problem) for problem in loaded.problems]
    return loaded.ruleset


def world(*recipients: Recipient) -> DecisionState:
    """Return facts that know these recipients."""
    return DecisionState(recipients={(known.app_id, known.uid): known for known in recipients})


def decided(
    notification: Notification, rules: str | Ruleset, *recipients: Recipient, now: float = NOON
) -> Decision:
    """Return the decision by some rules, with Ann known unless others are."""
    ruleset = rulebook(rules) if isinstance(rules, str) else rules
    return decide(notification, ruleset, world(*(recipients or (ANN,))), now)


def went(*plans: PlannedDelivery) -> list[tuple[str, str, str]]:
    return [(plan.rule, plan.channel, plan.address) for plan in plans if plan.state == "waiting"]


def kept_back(*plans: PlannedDelivery) -> list[tuple[str, str, str]]:
    return [(plan.rule, plan.channel, plan.reason) for plan in plans if plan.state == "suppressed"]
