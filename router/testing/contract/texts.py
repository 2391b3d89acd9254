"""Long and odd texts are cut to the provider's limits, between what a reader calls characters."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from urllib.parse import parse_qsl

import msgspec
import pytest

from router.bridge import split_graphemes
from router.channel import Limits, Request
from router.core.model.outcome import Delivered
from router.testing.contract.stage import ContractHarness

FAMILY = "👩\u200d👩\u200d👧\u200d👦"
FLAG = "🇳🇿"
ACCENT = "ɔ\u0301"
LONG_TEXT_LENGTH = 4000


class TextTests(ContractHarness):
    """What is written reaches the reader whole, or cut where nobody sees a seam."""

    @pytest.mark.parametrize("cluster", [FAMILY, FLAG, ACCENT, "👍🏽", "x"])
    @pytest.mark.parametrize("lead", ["", "a", "ab", "abc"])
    def test_a_long_text_is_cut_between_characters(self, cluster: str, lead: str) -> None:
        message = self.message(
            title=lead + cluster * LONG_TEXT_LENGTH, body=lead + cluster * LONG_TEXT_LENGTH
        )
        for request in self.carried(message):
            for text in _texts(request):
                kept = [part for part in split_graphemes(text) if set(part) & set(cluster) - {"x"}]
                assert set(kept) <= {cluster}

    @pytest.mark.parametrize(
        ("title", "body"),
        [("", "Lunch?"), ("Ben", ""), ("", ""), ("Ben\nBen", "a\r\nb\0c\x07"), ("{{ x }}", "${y}")],
    )
    def test_an_odd_text_is_sent_all_the_same(self, title: str, body: str) -> None:
        outcome = self.send_scripted(self.ok.to_response(), self.message(title=title, body=body))
        assert isinstance(outcome, Delivered), outcome

    def test_the_limits_are_kept(self) -> None:
        limits = self.channel.limits or Limits()
        message = self.message(title="τ" * 9000, body="β" * 90_000)
        for request in self.carried(message):
            for text in _texts(request):
                assert limits.title is None or _longest_run("τ", text) <= limits.title
                assert limits.body is None or _longest_run("β", text) <= limits.body
            assert limits.payload is None or len(request.body) <= 2 * limits.payload


def _longest_run(letter: str, text: str) -> int:
    return max((len(run) for run in re.findall(f"{letter}+", text)), default=0)


def _texts(request: Request) -> Iterator[str]:
    """Yield the texts in a request, decoded from whatever they are packed in."""
    if request.method == "SMTP":
        mail = message_from_bytes(request.body, policy=policy.default)
        yield str(mail["subject"])
        for part in mail.walk():
            if part.get_content_maintype() == "text":
                yield part.get_content()
        return
    try:
        yield from _leaves(msgspec.json.decode(request.body))
    except msgspec.DecodeError:
        yield from (value for _, value in parse_qsl(request.body.decode()))


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
