"""Every answer becomes the outcome it means, and a send can be called off."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.channel import Channel, Response, TransportError
from router.core.model.outcome import Delivered, Rejected, Retry, Suspend, Unknown
from router.testing.contract.stage import HYPOTHESIS_SETTINGS, ContractHarness, OutcomeType
from router.testing.script import ScriptedTransport

HTTP: dict[int, OutcomeType] = {
    **dict.fromkeys((300, 301, 302, 303, 304, 307, 308), Rejected),
    **dict.fromkeys((400, 402, 404, 405, 406, 409, 410, 411, 413, 415, 422, 451), Rejected),
    **dict.fromkeys((401, 403, 407), Suspend),
    **dict.fromkeys((408, 425, 429, 500, 502, 503, 504, 507, 520, 529, 599), Retry),
}
"""What a status means in general (RFC 9110)."""

SMTP: dict[int, OutcomeType] = {
    **dict.fromkeys((421, 450, 451, 452, 454), Retry),
    **dict.fromkeys((500, 550, 551, 552, 553, 554), Rejected),
}
"""What a reply to the message means in general (RFC 5321)."""


class OutcomeTests(ContractHarness):
    """What the provider says is what the router hears."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give each answer and each status a test of its own."""
        if "answer_name" in metafunc.fixturenames:
            metafunc.parametrize("answer_name", list(metafunc.cls.answers))
        if "status" in metafunc.fixturenames:
            general = HTTP if metafunc.cls.protocol == "http" else SMTP
            metafunc.parametrize("status", sorted({*general, *metafunc.cls.statuses}))

    def test_a_named_answer_means_what_its_author_says(self, answer_name: str) -> None:
        answer = self.answers[answer_name]
        outcome = self.send_scripted(answer.to_response(), self.message())
        assert type(outcome) is answer.means, outcome
        assert outcome.status == answer.status
        assert getattr(outcome, "forget_contact", False) is answer.forget, outcome
        if answer.after is not None:
            assert getattr(outcome, "after", None) == pytest.approx(answer.after, abs=5)
        if answer.handle:
            assert getattr(outcome, "handle", "") == answer.handle

    def test_a_bare_status_means_what_its_protocol_says(self, status: int) -> None:
        general = HTTP if self.protocol == "http" else SMTP
        expected = self.statuses.get(status, general.get(status))
        response = Response(status=status, headers={"smtp-command": "data"}, body=b"")
        outcome = self.send_scripted(response, self.message())
        assert type(outcome) is expected, outcome
        assert outcome.status == status
        assert getattr(outcome, "forget_contact", False) is (status in self.gone)
        assert getattr(outcome, "reason", "")

    @pytest.mark.parametrize("form", ["seconds", "date"])
    def test_the_time_a_provider_asks_for_is_kept(self, form: str) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
        headers = {"retry-after": "90" if form == "seconds" else date}
        by_http = self.protocol == "http"
        response = Response(status=429 if by_http else 450, headers=headers)
        outcome = self.send_scripted(response, self.message())
        assert isinstance(outcome, Retry | Suspend), outcome
        assert not by_http or outcome.after == pytest.approx(90, abs=5)

    def test_a_request_that_never_left_is_tried_again(self) -> None:
        outcome = self.send_scripted(TransportError("timed out", sent=False), self.message())
        assert isinstance(outcome, Retry), outcome

    @pytest.mark.parametrize("reason", ["timed out", "the connection was reset"])
    def test_a_request_that_left_unanswered_may_have_arrived(self, reason: str) -> None:
        outcome = self.send_scripted(TransportError(reason, sent=True), self.message())
        assert isinstance(outcome, Unknown), outcome

    def test_the_sandbox_takes_every_message(self) -> None:
        channel, _ = self.share()
        outcome, carried = self.send_and_collect(channel.sandbox, self.message())
        assert isinstance(outcome, Delivered), outcome
        assert carried

    def test_a_send_can_be_called_off_and_the_next_one_works(self) -> None:
        async def scene(channel: Channel[Any], transport: ScriptedTransport) -> object:
            task = asyncio.create_task(channel.send(self.message()))
            await asyncio.wait_for(transport.waiting.wait(), 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            transport.line = self.ok.to_response()
            return await channel.send(self.message())

        assert isinstance(self.run(None, scene), Delivered)

    def test_sends_at_the_same_time_do_not_disturb_each_other(self) -> None:
        async def scene(channel: Channel[Any], transport: ScriptedTransport) -> list[object]:
            outcomes = await asyncio.gather(*(channel.send(self.message()) for _ in range(8)))
            assert len(transport.carried) == 8
            return list(outcomes)

        assert all(
            isinstance(outcome, Delivered) for outcome in self.run(self.ok.to_response(), scene)
        )

    @settings(HYPOTHESIS_SETTINGS, max_examples=40)
    @given(
        status=st.integers(200, 599),
        body=st.binary(max_size=200) | st.sampled_from([b"[]", b"null", b"3", b'{"a":', b'"x"']),
        after=st.none() | st.text(st.characters(codec="latin-1"), max_size=40),
    )
    def test_no_answer_makes_it_raise(self, status: int, body: bytes, after: str | None) -> None:
        headers = {} if after is None else {"retry-after": after}
        outcome = self.send_scripted(
            Response(status=status, headers=headers, body=body), self.message()
        )
        assert isinstance(outcome, Delivered | Rejected | Retry | Suspend | Unknown)
