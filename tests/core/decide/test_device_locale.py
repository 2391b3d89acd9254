"""The language of a message: of the device it goes to, else of its recipient."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core.decide.decide import decide
from router.core.decide.render import render
from router.core.model.facts import Contact, Device, Recipient, with_device_locale
from tests.core.notifications import NOON, push
from tests.core.rulesets import ANN, MAIL, PHONE, rulebook, world

IN_TEMPLATE = """
enrich: [{title: "{{ 'Neue Nachricht' if locale == 'de' else 'New message' }} ({{ locale }})"}]
rules: [{name: all, send: [app, mail]}]
"""
IN_WHEN = """
enrich:
  - {vars: {greeting: Hello}, body: "{{ vars.greeting }}"}
  - {when: {locale: {starts_with: de}}, vars: {greeting: Hallo}, title: Neue Nachricht}
rules: [{name: all, send: [app, mail]}]
"""


def device(name: str, locale: str) -> Contact:
    found = Device(platform="fcm_android", locale=locale)
    return Contact(id=name, kind="push", address=f"token-{name}", device=found)


def ann(locale: str, *contacts: Contact) -> Recipient:
    return replace(ANN, locale=locale, contacts=contacts)


def told(rules: str, recipient: Recipient) -> dict[str, str]:
    """Return the title of each delivery by its contact."""
    ruleset, notification = rulebook(rules), push(title="Title", body="Body")
    decision = decide(notification, ruleset, world(recipient), NOON)
    return {
        each.contact: render(each, notification, recipient, ruleset, NOON).content.title
        for each in decision.deliveries
    }


def test_each_device_is_told_in_its_own_language() -> None:
    recipient = ann("fr", device("phone", "de"), device("tablet", ""), MAIL)
    assert told(IN_TEMPLATE, recipient) == {
        "phone": "Neue Nachricht (de)",
        "tablet": "New message (fr)",
        MAIL.id: "New message (fr)",
    }


def test_words_with_a_condition_hold_for_the_devices_it_holds_for() -> None:
    recipient = ann("", device("phone", "de-AT"), device("tablet", "en"), device("old", ""), MAIL)
    assert told(IN_WHEN, recipient) == {
        "phone": "Neue Nachricht",
        "tablet": "Title",
        "old": "Title",
        MAIL.id: "Title",
    }
    german = replace(recipient, locale="de")
    assert told(IN_WHEN, german)["old"] == "Neue Nachricht"
    assert told(IN_WHEN, german)["tablet"] == "Title"


def test_variables_are_those_of_the_device_s_language() -> None:
    rules = """
enrich:
  - {vars: {lang: "{{ locale }}"}}
  - {when: {vars.lang: de}, title: Neue Nachricht}
rules: [{name: all, send: [app]}]
"""
    recipient = ann("en", device("phone", "de"), device("tablet", "en"))
    assert told(rules, recipient) == {"phone": "Neue Nachricht", "tablet": "Title"}


def test_a_step_goes_to_the_devices_its_condition_holds_for() -> None:
    rules = """
rules:
  - name: all
    send:
      - {channel: app, when: {locale: de}, title: Deutsch}
      - {channel: app, when: {not: {locale: de}}, title: Other}
"""
    recipient = ann("", device("phone", "de"), device("tablet", "en"), device("watch", "de"))
    assert told(rules, recipient) == {"phone": "Deutsch", "watch": "Deutsch", "tablet": "Other"}
    decision = decide(push(), rulebook(rules), world(recipient), NOON)
    assert [(each.step, each.contact) for each in decision.deliveries] == [
        (0, "phone"),
        (0, "watch"),
        (1, "tablet"),
    ]
    assert [each.id for each in decision.deliveries] == ["n1-0", "n1-1", "n1-2"]


def test_a_rule_s_condition_sees_the_recipient_s_language() -> None:
    rules = "rules: [{name: all, when: {locale: de}, send: [app]}]"
    assert told(rules, ann("", device("phone", "de"))) == {}
    assert told(rules, ann("de", device("phone", "en"))) == {"phone": "Title"}


def test_a_contact_without_a_device_has_no_language_of_its_own() -> None:
    for contact in (None, MAIL, PHONE):
        assert with_device_locale(ANN, contact) is ANN


LOCALES = st.sampled_from(["", "de", "de-AT", "en", "fr"])


@given(LOCALES, st.lists(LOCALES, min_size=1, max_size=5))
def test_many_devices_are_told_what_each_would_be_told_alone(own: str, locales: list[str]) -> None:
    devices = [device(f"d{number}", locale) for number, locale in enumerate(locales)]
    for rules in (IN_TEMPLATE, IN_WHEN):
        together = told(rules, ann(own, *devices))
        alone = {each.id: told(rules, ann(own, each))[each.id] for each in devices}
        assert {name: together[name] for name in alone} == alone
