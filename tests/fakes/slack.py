"""Slack's incoming webhooks, `chat.postMessage`, `chat.update` and `chat.delete`.

Formats: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://docs.slack.dev/reference/methods/chat.postMessage, …/chat.update, …/chat.delete
"""

from router.channel import Request
from router.testing import FakeProvider, ProviderReply
from tests.fakes.answer import path_of, read_json, reply_json


class Slack(FakeProvider):
    """One workspace with one webhook, one workflow and one bot."""

    hook = "/services/T0000000A/B0000000A/abcdefghijklmnopqrstuvwx"
    workflow = "/workflows/T0000000A/A0000000A/123456789012345678/abcdefghijklmnopqrstuvwx"
    bot_token = "xoxb-1234567890-1234567890123-abcdefghijklmnopqrstuvwx"
    channel = "C0000000A"
    hosts: tuple[str, ...] = ("hooks.slack.com", "slack.com")

    def __init__(self) -> None:
        super().__init__(answer=self.answer_to)
        self.shown: dict[str, dict[str, object]] = {}
        """What the channel shows, by time stamp, as a bot posted or changed it."""
        self.lost_images: set[str] = set()
        """URLs that Slack cannot fetch: https://github.com/slackapi/python-slack-sdk/issues/1782"""

    def answer_to(self, request: Request) -> ProviderReply:
        """Return what the provider answers."""
        kind = request.headers.get("content-type", "")
        if request.method != "POST" or not kind.startswith("application/json"):
            return ProviderReply(status=400, body=b"invalid_payload")
        if path_of(request) == self.hook:
            return self.take_hook(request)
        if path_of(request) == self.workflow:
            return reply_json({"ok": True})
        methods = {
            "/api/chat.postMessage": self.post_message,
            "/api/chat.update": self.update,
            "/api/chat.delete": self.delete,
        }
        if method := methods.get(path_of(request)):
            if request.headers.get("authorization") != f"Bearer {self.bot_token}":
                return reply_json({"ok": False, "error": "invalid_auth"})
            body = read_json(request)
            return self.find_lost_image(body) or method(body)
        return ProviderReply(status=404, body=b"no_service")

    def find_lost_image(self, body: dict[str, object]) -> ProviderReply | None:
        """Return how a message is refused whose image Slack cannot fetch."""
        for part in ("blocks", "attachments"):
            shown = str(body.get(part))
            if any(f"'image_url': '{image}'" in shown for image in self.lost_images):
                return reply_json({"ok": False, "error": f"invalid_{part}"})
        return None

    def take_hook(self, request: Request) -> ProviderReply:
        """Answer an incoming webhook: a word, not JSON."""
        body = read_json(request)
        if not body.get("text") and not body.get("attachments") and not body.get("blocks"):
            return ProviderReply(status=400, body=b"no_text")
        return ProviderReply(status=200, body=b"ok")

    def post_message(self, body: dict[str, object]) -> ProviderReply:
        """Answer a bot's post: always 200 but for the rate limit."""
        if not body.pop("channel", None):
            return reply_json({"ok": False, "error": "channel_not_found"})
        ts = f"1700000000.{len(self.requests):06}"
        self.shown[ts] = body
        return reply_json({"ok": True, "channel": self.channel, "ts": ts, "message": {}})

    def update(self, body: dict[str, object]) -> ProviderReply:
        """Answer a bot's edit: what it leaves out stays, and an empty list takes away."""
        if fault := self.find_fault(body):
            return reply_json({"ok": False, "error": fault})
        channel, ts = body.pop("channel"), str(body.pop("ts"))
        if not any(body.get(name) for name in ("text", "blocks", "attachments")):
            return reply_json({"ok": False, "error": "no_text"})
        whole = self.shown[ts] | body
        self.shown[ts] = {name: part for name, part in whole.items() if part}
        return reply_json({"ok": True, "channel": channel, "ts": ts, "text": body.get("text", "")})

    def delete(self, body: dict[str, object]) -> ProviderReply:
        """Answer a bot's deletion."""
        if fault := self.find_fault(body):
            return reply_json({"ok": False, "error": fault})
        del self.shown[str(body["ts"])]
        return reply_json({"ok": True, "channel": body["channel"], "ts": body["ts"]})

    def find_fault(self, body: dict[str, object]) -> str:
        """Return what is wrong with the channel and time stamp that name a message."""
        if body.get("channel") != self.channel:
            return "channel_not_found"
        return "" if body.get("ts") in self.shown else "message_not_found"
