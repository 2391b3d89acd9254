"""The contract finds a channel that changes what it has shown in a wrong way."""

import time
from collections.abc import Callable

import pytest

from router import Delivered, Message, Outcome, Rejected
from router.bridge import Exchange, Request, TransportError, classify_response
from router.testing import ChannelContract, ResponseCase
from tests.contracts.test_contract import Pager


class Board(Pager):
    """Posts to a board, where what was posted can be changed."""

    name = "board"

    async def send(self, message: Message) -> Outcome:
        outcome = await super().send(message)
        is_taken = isinstance(outcome, Delivered)
        return Delivered(status=outcome.status, handle="p1") if is_taken else outcome

    async def update(self, handle: str, message: Message) -> Outcome:
        return await self.ask("PUT", handle)

    async def retract(self, handle: str) -> Outcome:
        return await self.ask("DELETE", handle)

    async def ask(self, method: str, handle: str) -> Outcome:
        """Ask for something to be done to a post."""
        if not handle.isalnum():
            return Rejected(reason="no handle of a post")
        request = Request(method=method, url=f"https://pager.example/posts/{handle}")
        try:
            response = await self.transport.send(request, timeout=5)
        except TransportError as error:
            return classify_response(
                [Exchange(request, error=error)], response_codes={}, now=time.time()
            )
        return classify_response([Exchange(request, response)], response_codes={}, now=time.time())


class Silent(Board):
    """Says it is done, and does nothing."""

    async def ask(self, method: str, handle: str) -> Outcome:
        return Delivered()


class Straying(Board):
    """Takes a handle for an address."""

    async def ask(self, method: str, handle: str) -> Outcome:
        request = Request(method=method, url=f"https://pager.example{handle}/")
        response = await self.transport.send(request, timeout=5)
        return classify_response([Exchange(request, response)], response_codes={}, now=time.time())


class Raising(Board):
    """Raises where no answer comes."""

    async def ask(self, method: str, handle: str) -> Outcome:
        request = Request(method=method, url=f"https://pager.example/posts/{handle}")
        response = await self.transport.send(request, timeout=5)
        return classify_response([Exchange(request, response)], response_codes={}, now=time.time())


class Telling(Board):
    """Tells its token where it is refused."""

    async def ask(self, method: str, handle: str) -> Outcome:
        outcome = await super().ask(method, handle)
        token = self.settings.token.reveal()
        return Rejected(reason=token) if isinstance(outcome, Rejected) else outcome


class BoardContract(ChannelContract):
    """What a board's author would write."""

    channel = Board
    settings = {"token": "hunter2hunter2"}
    address = "anna"
    answers = {"ok": ResponseCase(means=Delivered, handle="p1")}
    updates = {"too late": ResponseCase(means=Rejected, status=409)}
    retractions = {"not yours": ResponseCase(means=Rejected, status=404)}


class TestBoard(BoardContract):
    pass


Check = Callable[[ChannelContract], object]
CASES: dict[str, tuple[type[Board], Check]] = {
    "doing nothing": (Silent, lambda c: c.test_what_was_shown_can_be_changed_and_taken_back()),
    "a lie": (Silent, lambda c: c.test_each_answer_to_a_change_means_what_its_author_says()),
    "a hostile handle": (
        Straying,
        lambda c: c.test_no_handle_and_no_answer_make_it_raise_or_go_astray(),
    ),
    "raising": (Raising, lambda c: c.test_a_change_that_fails_for_now_is_made_again()),
}


def contract(kind: type[Board]) -> ChannelContract:
    """Return the contract for a channel, ready to play."""

    class Proof(BoardContract):
        channel = kind

    Proof.setup_class()
    return Proof()


@pytest.mark.parametrize("name", CASES)
def test_a_channel_that_changes_what_it_should_not_is_found_out(name: str) -> None:
    kind, check = CASES[name]
    proof = contract(kind)
    try:
        with pytest.raises((AssertionError, TransportError)):
            check(proof)
    finally:
        proof.teardown_class()


def test_a_channel_that_tells_a_secret_when_it_changes_something_is_found_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    proof = contract(Telling)
    try:
        with pytest.raises(AssertionError):
            proof.test_no_outcome_and_no_log_line_shows_a_secret(caplog)
    finally:
        proof.teardown_class()
