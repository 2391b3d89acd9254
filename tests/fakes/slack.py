"""Slack's incoming webhooks and `chat.postMessage`.

Formats: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://docs.slack.dev/reference/methods/chat.postMessage
"""

from router.channel import Request
from router.testing import Provider, Reply
from tests.fakes.answer import path_of, read_json, reply_json


class Slack(Provider):
    """One workspace with one webhook, one workflow and one bot."""

    hook = "/services/T0000000A/B0000000A/abcdefghijklmnopqrstuvwx"
    workflow = "/workflows/T0000000A/A0000000A/123456789012345678/abcdefghijklmnopqrstuvwx"
    bot_token = "xoxb-1234567890-1234567890123-abcdefghijklmnopqrstuvwx"
    channel = "C0000000A"
    hosts: tuple[str, ...] = ("hooks.slack.com", "slack.com")

    def __init__(self) -> None:
        super().__init__(answer=self.answer_to)

    def answer_to(self, request: Request) -> Reply:
        """Return what the provider answers."""
        kind = request.headers.get("content-type", "")
        if request.method != "POST" or not kind.startswith("application/json"):
            return Reply(status=400, body=b"invalid_payload")
        if path_of(request) == self.hook:
            return self.take_hook(request)
        if path_of(request) == self.workflow:
            return reply_json({"ok": True})
        if path_of(request) == "/api/chat.postMessage":
            return self.post_message(request)
        return Reply(status=404, body=b"no_service")

    def take_hook(self, request: Request) -> Reply:
        """Answer an incoming webhook: a word, not JSON."""
        body = read_json(request)
        if not body.get("text") and not body.get("attachments") and not body.get("blocks"):
            return Reply(status=400, body=b"no_text")
        return Reply(status=200, body=b"ok")

    def post_message(self, request: Request) -> Reply:
        """Answer a bot's post: always 200 but for the rate limit."""
        if request.headers.get("authorization") != f"Bearer {self.bot_token}":
            return reply_json({"ok": False, "error": "invalid_auth"})
        body = read_json(request)
        if not body.get("channel"):
            return reply_json({"ok": False, "error": "channel_not_found"})
        ts = f"1700000000.{len(self.requests):06}"
        return reply_json({"ok": True, "channel": self.channel, "ts": ts, "message": {}})
