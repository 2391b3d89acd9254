"""No secret shows in an outcome, a log line, a repr, or a recorded request."""

import logging
from typing import Any

import pytest

from router.bridge import RecordedExchange, Redactor, SandboxTransport, collect_secrets
from router.channel import Channel, Request, Response, TransportError
from router.core.model.outcome import Outcome
from router.testing.contract.stage import ContractHarness
from router.testing.script import ScriptedResult, ScriptedTransport


class SecrecyTests(ContractHarness):
    """Secrets go to the provider, and to nobody else."""

    def test_no_outcome_and_no_log_line_shows_a_secret(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        for name in list(logging.root.manager.loggerDict):
            caplog.set_level(logging.DEBUG, name)  # and back again afterwards
        for outcome in self._provoke():
            self._search(repr(outcome))
        for record in caplog.records:
            self._search(f"{record.getMessage()} {record.exc_text or ''}")

    def test_no_repr_shows_a_secret(self) -> None:
        async def scene(channel: Channel[Any], transport: ScriptedTransport) -> list[str]:
            await channel.send(self.message())
            shown = [channel, channel.settings, vars(channel), *transport.carried]
            return [repr(thing) for thing in shown]

        for text in self.run(self.ok.to_response(), scene):
            self._search(text)

    def test_no_recorded_request_shows_a_secret(self) -> None:
        recorded: list[RecordedExchange] = []

        def answer(request: Request) -> Response:
            return channel.sandbox(request)

        transport = SandboxTransport(
            answer, recorded.append, channel="c", secrets=collect_secrets(self.read_settings())
        )
        channel = self.channel(self.read_settings(), transport)

        ways = self.list_changes()

        async def send() -> None:
            try:
                await channel.send(self.message())
                for operation, handle in ways:
                    await self.make_change(channel, operation, handle)
            finally:
                await channel.aclose()

        self.runner.run(send())
        assert recorded
        for exchange in recorded:
            request = exchange.request
            self._search(f"{request.url} {request.headers}")
            self._search(request.body.decode(errors="replace"))

    def _provoke(self) -> list[Outcome]:
        """Return what comes of answers that quote the secrets back."""
        quoted = " ".join(collect_secrets(self.read_settings()))
        echo = quoted.encode(errors="replace")
        lines: list[ScriptedResult] = [
            Response(status=status, headers={"x": quoted}, body=echo)
            for status in (200, 302, 400, 401, 403, 404, 429, 500)
        ]
        lines += [answer.to_response() for answer in self.answers.values()]
        lines += [TransportError("timed out", sent=sent) for sent in (True, False)]
        outcomes = [self.send_scripted(line, self.message()) for line in lines]
        return outcomes + [
            self.change(operation, handle, line)[0]
            for operation, handle in self.list_changes()
            for line in lines
        ]

    def _search(self, text: str) -> None:
        secrets = collect_secrets(self.read_settings())
        for secret in secrets:
            assert len(secret) <= 4 or secret not in text
        assert Redactor(secrets).mask_text(text) == text
