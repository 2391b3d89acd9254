"""Twilio's `Messages` resource.

Formats: https://www.twilio.com/docs/messaging/api/message-resource
"""

import re
from base64 import b64encode
from urllib.parse import parse_qs

from router.channel import Request
from router.testing import FakeProvider, ProviderReply
from tests.fakes.answer import path_of, reply_json


def refuse(status: int, code: int, message: str, **headers: str) -> ProviderReply:
    """Return an error as Twilio writes it."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more, "status": status}
    return reply_json(body, status=status, **headers)


class Twilio(FakeProvider):
    """Takes messages for its one account, to numbers that look like numbers."""

    sid = "AC" + "0" * 32
    token = "1" * 32
    number = "+15005550006"
    hosts: tuple[str, ...] = ("api.twilio.com",)

    def __init__(self) -> None:
        super().__init__(answer=self.answer_to)

    @property
    def apprise_url(self) -> str:
        """The URL a team would write into its rules."""
        return f"twilio://{self.sid}:{self.token}@{self.number}/{{to}}"

    def answer_to(self, request: Request) -> ProviderReply:
        """Return what the provider answers."""
        credentials = b64encode(f"{self.sid}:{self.token}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {credentials}":
            return refuse(401, 20003, "Authenticate")
        if path_of(request) != f"/2010-04-01/Accounts/{self.sid}/Messages.json":
            return refuse(404, 20404, f"The requested resource {path_of(request)} was not found")
        form = parse_qs(request.body.decode())
        if refusal := _refuse_form(request, form):
            return refusal
        sid = f"SM{len(self.requests):032}"
        return reply_json({"sid": sid, "status": "queued", "to": form["To"][0]}, status=201)


def _refuse_form(request: Request, form: dict[str, list[str]]) -> ProviderReply | None:
    kind = request.headers.get("content-type", "")
    if request.method != "POST" or kind != "application/x-www-form-urlencoded":
        return refuse(400, 20001, "Unsupported Content-Type")
    if set(form) != {"From", "To", "Body"}:
        return refuse(400, 21602, "Message body is required.")
    to = form["To"][0]
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", to):
        return refuse(400, 21211, f"The 'To' number {to} is not a valid phone number.")
    if len(form["Body"][0]) > 1600:
        return refuse(400, 21617, "The concatenated message body exceeds the 1600 limit.")
    return None
