"""A contact is forgotten only where its provider refused the very address that was registered."""

from typing import Any

import pytest

from router.channel import Channel
from router.core.errors import AddressError
from router.core.model.delivery import Delivery
from router.core.model.facts import Contact
from router.core.model.message import Content, Message
from router.core.model.outcome import Delivered, Outcome, Rejected
from router.redaction import Redactor
from router.testing.sample import NOTIFICATION
from router.worker.channel_gate import ChannelGate
from router.worker.lanes import SendJob
from router.worker.send import ActiveSend
from tests.core.notifications import digest
from tests.worker.harness import Nowhere, ScriptedSettings

GONE = Rejected(status=410, reason="gone", forget_contact=True)


class Tidy(Channel[ScriptedSettings]):
    """A channel whose provider calls every address dead; it writes them in lower case."""

    name = "sms"
    Settings = ScriptedSettings

    def __init__(self, answer: Outcome = GONE) -> None:
        super().__init__(ScriptedSettings(), Nowhere())
        self.answer = answer
        self.sent: list[str] = []

    @classmethod
    def normalize_address(
        cls,
        address: str,
        *,
        settings: ScriptedSettings | None,  # noqa: ARG003 - the contract's signature
        country: str = "",
        is_fixed: bool = False,
    ) -> str:
        if address.isdigit() and not is_fixed and not country:
            raise AddressError("of which country?")
        return f"{country}{address}" if address.isdigit() and country else address.lower()

    async def send(self, message: Message) -> Outcome:
        self.sent.append(message.address)
        return self.answer

    async def update(self, handle: str, message: Message) -> Outcome:
        return await self.send(message)

    async def retract(self, handle: str) -> Outcome:
        return self.answer


async def attempt(
    channel: Tidy,
    *,
    contact: str = "",
    address: str = "",
    country: str = "",
    phno: str = "",
    **changes: Any,  # noqa: ANN401 - the delivery's own
) -> Outcome:
    known = Contact(id="c1", kind="sms", address=contact) if contact else None
    told = digest("sms", to={"uid": "ann", "phno": phno}) if phno else NOTIFICATION
    delivery = Delivery(
        id="n-0",
        notification="n",
        rule="rule",
        step=0,
        channel="text",
        contact=known.id if known else "",
        address=address or contact,
        due_at=0.0,
        expires_at=1e12,
        content=Content(title="t", body="b"),
        **changes,
    )
    gate = ChannelGate(clock=lambda: 0.0)
    sending = ActiveSend(SendJob(delivery, told, known), channel, gate, "", "", 0.0, country)
    return await sending.attempt(Redactor(()))


async def test_what_was_registered_as_it_is_sent_to_is_forgotten() -> None:
    assert await attempt(Tidy(), contact="bob") == GONE


@pytest.mark.parametrize(
    "told",
    [
        {"contact": "Bob"},
        {"contact": "555", "country": "US"},
        {"contact": "bob", "operation": "update", "handle": "h"},
        {"contact": "bob", "operation": "retract", "handle": "h"},
        {"address": "bob"},
    ],
    ids=["written otherwise", "read in a country", "an edit", "a deletion", "no contact"],
)
async def test_nothing_else_is_forgotten(told: dict[str, str]) -> None:
    outcome = await attempt(Tidy(), **told)
    assert outcome == Rejected(status=410, reason="gone")


async def test_a_contact_that_nothing_can_be_sent_to_is_rejected_and_kept() -> None:
    channel = Tidy()
    outcome = await attempt(channel, contact="555")
    assert outcome == Rejected(reason="invalid_address: of which country?")
    assert channel.sent == []


async def test_an_address_of_a_feed_is_read_again_when_it_is_retried() -> None:
    channel = Tidy(Delivered())
    refused = await attempt(channel, address="555", phno="555")
    assert refused == Rejected(reason="invalid_address: of which country?")
    assert isinstance(await attempt(channel, address="555", phno="555", country="US"), Delivered)
    assert channel.sent == ["US555"]


async def test_what_the_operator_wrote_is_sent_to_as_it_stands_in_the_rules() -> None:
    channel = Tidy(Delivered())
    assert isinstance(await attempt(channel, address="555", phno="777"), Delivered)
    assert channel.sent == ["555"]
