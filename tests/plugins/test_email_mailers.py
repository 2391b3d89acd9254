"""Mailers behind Apprise: each gets the registered address as it is, and no other."""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest

from router import Delivered
from router.bridge import Request, Response
from router.plugins.apprise.channel import Apprise
from router.plugins.email import MAILER_SCHEMES, Email
from router.testing import ScriptedTransport, make_message
from tests.plugins.opening import read_settings

MAILBOXES = (
    "bob@example.com",
    "o'brien@example.com",
    "'t.hart@example.com",
    "bob+news@example.com",
    "r&d@example.com",
    "ops/de@example.com",
    "user%relay@example.com",
    "50%25@example.com",
    "a=b@example.com",
    "#1?x!y@example.com",
    "{a}|`b^~*$@example.com",
    "recipient@router.invalid",
    "bob@xn--bcher-kva.example",
)

URLS = {
    "azure": "azure://chat/tenant/client/secret/{to}",
    "brevo": "brevo://key:chat@host.example/{to}",
    "mailersend": "mailersend://key:chat@host.example/{to}",
    "mailgun": "mailgun://chat@host.example/key/{to}",
    "o365": "o365://chat/tenant/client/secret/{to}",
    "postmark": "postmark://key:chat@host.example/{to}",
    "resend": "resend://key:chat@host.example/{to}",
    "sendgrid": "sendgrid://key:chat@host.example/{to}",
    "sendpulse": "sendpulse://chat@host.example/client/secret/{to}",
    "ses": "ses://chat@host.example/abcdefghij/abcdefghij/us-east-2/{to}",
    "smtp2go": "smtp2go://chat@host.example/key/{to}",
    "sparkpost": "sparkpost://chat@host.example/key/{to}",
}

ANSWER = b"""{"access_token": "t", "expires_in": 3600, "id": "7", "result": true, "ErrorCode": 0,
"displayName": "Chat", "mail": "chat@host.example", "userPrincipalName": "chat@host.example",
"results": {"total_rejected_recipients": 0, "total_accepted_recipients": 1, "id": "7"},
"data": {"succeeded": 1, "failed": 0}}"""


def read_texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from read_texts(item)


def find_recipients(request: Request) -> set[str]:
    """Return the mail addresses in a request, without the sender's."""
    body = request.body.decode()
    texts = list(read_texts(json.loads(body))) if body.startswith("{") else []
    texts += [value for _, value in parse_qsl(body)] if not texts else []
    for text in list(texts):
        if re.fullmatch(r"[A-Za-z0-9+/=]{100,}", text):
            head = base64.b64decode(text).decode().partition("\n\n")[0]
            texts += re.findall(r"^To: (.+)$", head, re.MULTILINE)
    found = (text.strip("<>") for text in texts if re.fullmatch(r"<?[^\s<>@]+@[^\s<>@]+>?", text))
    return {text for text in found if text != "chat@host.example"}


def test_each_mailer_is_here() -> None:
    assert set(URLS) == MAILER_SCHEMES


@pytest.mark.parametrize("channel", [Email, Apprise])
@pytest.mark.parametrize("mailer", URLS)
async def test_a_mailer_gets_the_address_as_it_is(mailer: str, channel: type) -> None:
    def says(request: Request) -> Response:
        accepts = mailer == "sendgrid" or request.url.endswith("sendMail")
        return Response(status=202 if accepts else 200, body=ANSWER)

    transport = ScriptedTransport(says)
    opened = channel(read_settings(channel, {"url": URLS[mailer]}), transport)
    for mailbox in MAILBOXES:
        transport.carried.clear()
        outcome = await opened.send(make_message(address=mailbox, title="Chat", body="Hello"))
        assert isinstance(outcome, Delivered), (mailbox, outcome)
        assert find_recipients(transport.carried[-1]) == {mailbox}
    await opened.aclose()
