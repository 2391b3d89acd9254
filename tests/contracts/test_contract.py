"""The contract finds what it is there to find."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import pytest
from msgspec import Meta

from router import (
    Channel,
    Delivered,
    Limits,
    Message,
    Outcome,
    Rejected,
    Secret,
    Settings,
)
from router.bridge import Exchange, Request, TransportError, classify_response
from router.testing import ChannelContract, ResponseCase


class PagerSettings(Settings, frozen=True):
    """Settings."""

    token: Annotated[Secret, Meta(description="The token.")]


class Pager(Channel[PagerSettings]):
    """Pages one person."""

    name = "pager"
    Settings = PagerSettings
    limits = Limits(body=100)

    async def send(self, message: Message) -> Outcome:
        if not message.address.isalnum():
            return Rejected(reason="no")
        return await self.post(message)

    async def post(self, message: Message, **extra: str) -> Outcome:
        """Send a request as the provider wants it."""
        request = self.make_request(message)
        try:
            response = await self.transport.send(request, timeout=5)
        except TransportError as error:
            return classify_response(
                [Exchange(request, error=error)], response_codes={}, now=time.time()
            )
        return classify_response([Exchange(request, response)], response_codes={}, now=time.time())

    def make_request(self, message: Message) -> Request:
        """Return the request."""
        return Request(
            method="POST",
            url=f"https://pager.example/{message.address}",
            headers={"authorization": self.settings.token.reveal()},
            body=b'{"text": ""}',
        )


class Raising(Pager):
    """Raises for a refusal."""

    async def post(self, message: Message, **extra: str) -> Outcome:
        outcome = await super().post(message)
        if outcome.status == 400:
            raise LookupError("refused")
        return outcome


class Trusting(Pager):
    """Takes any address."""

    async def send(self, message: Message) -> Outcome:
        return await self.post(message)


class Repeating(Pager):
    """Sends twice."""

    async def send(self, message: Message) -> Outcome:
        await super().send(message)
        return await super().send(message)


class Telling(Pager):
    """Tells its token."""

    async def post(self, message: Message, **extra: str) -> Outcome:
        outcome = await super().post(message)
        token = self.settings.token.reveal()
        return Rejected(reason=token) if isinstance(outcome, Rejected) else outcome


class Logging(Pager):
    """Logs its token."""

    async def post(self, message: Message, **extra: str) -> Outcome:
        logging.getLogger("pager").debug("sending with %s", self.settings.token.reveal())
        return await super().post(message)


class Showing(Pager):
    """Shows its token."""

    def __repr__(self) -> str:
        return f"Showing({self.settings.token.reveal()})"


class Cutting(Pager):
    """Cuts in the middle of characters."""

    def make_request(self, message: Message) -> Request:
        text = message.body[:99].encode()
        return Request(method="POST", url="https://pager.example/", body=b"text=" + text)


class Long(Pager):
    """Knows no limit."""

    def make_request(self, message: Message) -> Request:
        text = message.body.encode()
        return Request(method="POST", url="https://pager.example/", body=b"text=" + text)


class Swallowing(Pager):
    """Does not let itself be called off."""

    async def post(self, message: Message, **extra: str) -> Outcome:
        try:
            return await super().post(message)
        except asyncio.CancelledError:
            return Rejected(reason="stopped")


class Leaving(Pager):
    """Leaves a task behind."""

    kept: ClassVar[list[asyncio.Task[None]]] = []

    async def post(self, message: Message, **extra: str) -> Outcome:
        self.kept.append(asyncio.create_task(asyncio.sleep(0.2)))
        return await super().post(message)


class Bare(PagerSettings, frozen=True):
    """Settings without a description."""

    token: Secret


class Undescribed(Pager):
    """Says nothing of its settings."""

    Settings = Bare


def contract(kind: type[Channel[Any]]) -> ChannelContract:
    """Return the contract for a channel, ready to play."""

    class Proof(ChannelContract):
        channel = kind
        settings = {"token": "hunter2hunter2"}
        address = "anna"
        answers = {
            "ok": ResponseCase(means=Delivered),
            "no": ResponseCase(means=Rejected, status=400),
        }

    Proof.setup_class()
    return Proof()


def prove_fixed(proof: ChannelContract) -> None:
    type(proof).address = ""
    proof.test_it_needs_a_contact_if_and_only_if_it_has_an_address()


Check = Callable[[ChannelContract], object]

CASES: dict[str, tuple[type[Channel[Any]], Check]] = {
    "raising": (Raising, lambda c: c.test_a_named_answer_means_what_its_author_says("no")),
    "any address": (
        Trusting,
        lambda c: c.test_a_hostile_address_reaches_one_target_or_nobody("1/2/3"),
    ),
    "a fuzzed address": (Trusting, lambda c: c.test_what_follows_a_sound_address_adds_nobody()),
    "sending twice": (Repeating, lambda c: c.test_any_text_reaches_one_target_or_nobody()),
    "a repr": (Showing, lambda c: c.test_no_repr_shows_a_secret()),
    "a cut": (Cutting, lambda c: c.test_a_long_text_is_cut_between_characters("👍🏽", "")),
    "a limit": (Long, lambda c: c.test_the_limits_are_kept()),
    "calling off": (Swallowing, lambda c: c.test_a_send_can_be_called_off_and_the_next_one_works()),
    "a task": (Leaving, lambda c: c.test_it_closes_cleanly_and_may_be_closed_twice()),
    "a setting": (Undescribed, lambda c: c.test_every_setting_is_described()),
    "a contact": (Pager, prove_fixed),
}


@pytest.mark.parametrize("name", CASES)
def test_a_channel_that_breaks_the_contract_is_found_out(name: str) -> None:
    kind, check = CASES[name]
    proof = contract(kind)
    try:
        with pytest.raises((AssertionError, LookupError, pytest.fail.Exception)):
            check(proof)
    finally:
        proof.teardown_class()


@pytest.mark.parametrize("kind", [Telling, Logging])
def test_a_channel_that_tells_a_secret_is_found_out(
    kind: type[Channel[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    proof = contract(kind)
    try:
        with pytest.raises(AssertionError):
            proof.test_no_outcome_and_no_log_line_shows_a_secret(caplog)
    finally:
        proof.teardown_class()


class TestPager(ChannelContract):
    channel = Pager
    settings = {"token": "hunter2hunter2"}
    address = "anna"
    answers = {"ok": ResponseCase(means=Delivered), "no": ResponseCase(means=Rejected, status=400)}
