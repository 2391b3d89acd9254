"""Addresses are read in a country only where they have to be: whose, in which order."""

import msgspec
import pytest

from router.core.model.address import Address
from tests.core.notifications import digest
from tests.core.plugin_schemas import FakeSchema, load_text
from tests.core.rulesets import ANN, CHANNELS, decided, rulebook

RULES = "rules: [{name: all, send: [text]}]"
DEFAULT = "defaults: {country: DE}\n"
APP = "apps: {app: {country: GB}}\n"


@pytest.mark.parametrize(
    ("rules", "country", "address"),
    [
        (RULES + "\n", "US", "US-555"),
        (DEFAULT + RULES, "", "DE-555"),
        (APP + DEFAULT + RULES, "", "GB-555"),
        (APP + DEFAULT + RULES, "US", "US-555"),
        ("apps: {other: {country: GB}}\n" + DEFAULT + RULES, "", "DE-555"),
        ("apps: {app: {}}\n" + DEFAULT + RULES, "", "DE-555"),
    ],
)
def test_an_address_of_a_feed_is_read_in_the_recipient_s_country_then_the_app_s(
    rules: str, country: str, address: str
) -> None:
    ann = msgspec.structs.replace(ANN, country=country)
    told = digest("sms", to={"uid": "ann", "phno": "local 555"})
    (planned,) = decided(told, rules, ann).deliveries
    assert (planned.state, planned.address, planned.contact) == ("waiting", address, "")


def test_an_address_of_a_feed_that_nothing_can_be_sent_to_is_a_dead_letter() -> None:
    told = digest("sms", to={"uid": "ann", "phno": "local 555"})
    (planned,) = decided(told, RULES).deliveries
    assert (planned.state, planned.reason) == ("dead", "invalid_address: of which country?")
    assert planned.address == "local 555"


def test_what_keeps_a_delivery_back_goes_before_what_is_wrong_with_its_address() -> None:
    told = digest("sms", to={"uid": "ann", "phno": "local 555"})
    closed = msgspec.structs.replace(ANN, opt_outs=frozenset({"text"}))
    (planned,) = decided(told, RULES, closed).deliveries
    assert (planned.state, planned.reason) == ("suppressed", "opted_out")


def test_what_stands_by_for_a_dead_letter_goes_at_once() -> None:
    told = digest("sms", to={"uid": "ann", "phno": "local 555"})
    rules = "rules: [{name: all, send: [text, {channel: mail, unless: {delivered: text}}]}]"
    dead, mail = decided(told, rules).deliveries
    assert dead.state == "dead"
    assert (mail.state, mail.address) == ("waiting", "ann@example.com")
    assert mail.watch is not None
    assert not mail.watch.stands_by


def test_a_country_is_assumed_only_for_what_does_not_stand_by_itself() -> None:
    channel = rulebook(RULES).channels["text"]
    assert channel.read_address("555", "DE") == Address(address="555", raw="555")
    assert channel.read_address("local 555", "DE") == Address(
        address="DE-555", raw="local 555", country="DE"
    )
    assert channel.read_address("/x", "DE") == Address(raw="/x", fault="name an address")


def test_addresses_in_the_file_are_read_in_its_country() -> None:
    step = "rules: [{name: all, send: [{channel: text, to: [local 1, x]}]}]"
    ruleset = rulebook("defaults: {country: DE}\n" + step)
    assert ruleset.rules[0].send[0].to == ("DE-1", "x")
    loaded = load_text(CHANNELS + APP + step)
    (problem,) = [each for each in loaded.problems if each.severity == "error"]
    assert (problem.message, problem.hint) == (
        'channel text cannot send to "local 1"',
        "of which country?",
    )


def test_a_schema_alone_reads_an_address_too() -> None:
    schema = FakeSchema("sms", {})
    assert schema.normalize_address(None, "local 1", country="US", is_fixed=False).address == "US-1"
