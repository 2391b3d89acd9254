"""What was shown can be changed and taken back by the handle it left, where a channel says so."""

from hypothesis import given, settings
from hypothesis import strategies as st

from router.channel import Response, TransportError
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.testing.contract.stage import HYPOTHESIS_SETTINGS, ContractHarness
from router.testing.script import ScriptedResult, request_hosts

HOSTILE = (
    "",
    " ",
    "/",
    "../../evil",
    "a:b:c",
    "@evil.test",
    "https://evil.test/",
    "a\r\nb",
    "ü\x00",
)


class ChangeTests(ContractHarness):
    """A channel with `update` or `retract` keeps to it as it does to `send`.

    Of a channel, or of settings of one, whose messages leave no handle nothing is asked here.
    """

    def test_what_was_shown_can_be_changed_and_taken_back(self) -> None:
        for operation, handle in self.list_changes():
            outcome, carried = self.change(operation, handle, self.changed.to_response())
            assert isinstance(outcome, Delivered), (operation, outcome)
            assert carried, f"{operation} sent nothing"
            assert request_hosts(carried) == request_hosts(self.sound_requests())

    def test_each_answer_to_a_change_means_what_its_author_says(self) -> None:
        for operation, handle in self.list_changes():
            answers = self.updates if operation == "update" else self.retractions
            for name, answer in answers.items():
                outcome, _ = self.change(operation, handle, answer.to_response())
                assert type(outcome) is answer.means, (operation, name, outcome)
                assert outcome.status == answer.status

    def test_a_change_that_fails_for_now_is_made_again(self) -> None:
        lines: dict[str, tuple[ScriptedResult, type[Outcome]]] = {
            "refused for now": (Response(status=503), Retry),
            "too many": (Response(status=429, headers={"retry-after": "90"}), Retry),
            "never left": (TransportError("timed out", sent=False), Retry),
            "unanswered": (TransportError("timed out", sent=True), Unknown),
        }
        for operation, handle in self.list_changes():
            for name, (line, expected) in lines.items():
                outcome, _ = self.change(operation, handle, line)
                assert isinstance(outcome, expected), (operation, name, outcome)
                assert name != "too many" or getattr(outcome, "after", None) == 90

    def test_the_sandbox_takes_every_change(self) -> None:
        channel, _ = self.share()
        for operation, handle in self.list_changes():
            outcome, _ = self.change(operation, handle, channel.sandbox)
            assert isinstance(outcome, Delivered), (operation, outcome)

    @settings(HYPOTHESIS_SETTINGS, max_examples=40)
    @given(
        handle=st.sampled_from(HOSTILE) | st.text(max_size=60),
        status=st.integers(200, 599),
        body=st.binary(max_size=200) | st.sampled_from([b"[]", b"null", b'{"ok":', b'"x"']),
    )
    def test_no_handle_and_no_answer_make_it_raise_or_go_astray(
        self, handle: str, status: int, body: bytes
    ) -> None:
        for operation, _ in self.list_changes():
            outcome, carried = self.change(operation, handle, Response(status=status, body=body))
            assert isinstance(outcome, Delivered | Rejected | Retry | Suspend | Unknown)
            assert request_hosts(carried) <= request_hosts(self.sound_requests())
