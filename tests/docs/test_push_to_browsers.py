"""What the page on browsers lets them run reads what the router sends."""

import re

import msgspec

from router.plugins.push.webpush_message import write_payload
from tests.docs.blocks import blocks
from tests.plugins.opening import make_message


def keys_of(sample: str, *, quiet: bool = False) -> set[str]:
    link = "https://chat.example.com/1"
    message = make_message(sample, collapse="message:1", link=link, quiet=quiet)
    return set(msgspec.json.decode(write_payload(message), type=dict[str, str]))


def test_the_service_worker_reads_keys_that_are_sent() -> None:
    script = "".join(block.text for block in blocks("js"))
    named = {*re.findall(r"message\.(\w+)", script), *re.findall(r"\.data\.(\w+)\b(?!\()", script)}
    assert {"title", "body", "collapse", "link", "callAction", "quiet"} <= named
    sent = keys_of("push_chat_one_on_one") | keys_of("push_call_audio_initiated")
    assert "quiet" not in sent
    sent |= keys_of("push_chat_message_edited", quiet=True)
    assert named <= sent
