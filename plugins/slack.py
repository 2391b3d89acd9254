"""Deliver to a Slack channel or person, through an incoming webhook, a workflow or a bot.

Requests: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
https://docs.slack.dev/reference/methods/chat.postMessage, and of a bot, for edits and deletions,
https://docs.slack.dev/reference/methods/chat.update, …/chat.delete
Answers: https://docs.slack.dev/reference/methods/chat.postMessage#errors and, for webhooks,
https://docs.slack.dev/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks
Text: https://docs.slack.dev/messaging/formatting-message-text#escaping
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import Annotated, Any, ClassVar

import msgspec
from apprise.plugins.slack import NotifySlack, SlackMode
from msgspec import Meta
from msgspec.structs import replace

from router import (
    AddressError,
    Delivered,
    Limits,
    Message,
    Outcome,
    Register,
    Rejected,
    Secret,
    Settings,
    hookimpl,
)
from router.bridge import (
    AppriseChannel,
    Build,
    BuildError,
    Exchange,
    Request,
    Response,
    ResponseMeaning,
    ServiceAnswers,
    Transport,
    check_file_arguments,
    make_plugin,
    parse_url,
    truncate,
)

WORKFLOW_MODES = frozenset({SlackMode.WORKFLOW, SlackMode.WORKFLOW_TRIGGER})
MAX_TITLE_LENGTH = 150
MAX_BODY_LENGTH = 3000
"""Longest header and section that Slack accepts, in characters."""

ERROR_CODE = re.compile(rb"[a-z_]{2,60}")

SUSPEND_CODES = (
    {"not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired"}
    | {"missing_scope", "messages_tab_disabled", "not_allowed_token_type", "org_login_required"}
    | {"access_denied", "ekm_access_denied", "enterprise_is_restricted", "accesslimited"}
    | {"team_access_not_granted", "two_factor_setup_required", "invalid_token", "no_service"}
    | {"no_service_id", "no_team", "no_active_hooks", "team_disabled"}
)
"""Errors of the credential or the workspace: nothing goes out until the operator acts."""
THROTTLE_CODES = {"ratelimited", "rate_limited", "message_limit_exceeded"}
RETRY_CODES = {"request_timeout", "internal_error", "fatal_error", "service_unavailable"} | {
    "team_added_to_org",
    "rollup_error",
    "update_failed",
}
"""Errors that pass. Every other error is about this message or this channel, and permanent, as
`message_not_found` and `edit_window_closed` are for an edit."""
IMAGE_REFUSAL_CODES = {"invalid_blocks", "invalid_attachments"}
"""Slack refuses the whole message where it cannot fetch its image:
https://github.com/slackapi/python-slack-sdk/issues/1782"""
NO_SUCH_MESSAGE = "message_not_found"
INVALID_URL = "url: must be https://hooks.slack.com/… or slack://…"
API_URL = "https://slack.com/api/"
UPDATE_URL, DELETE_URL = f"{API_URL}chat.update", f"{API_URL}chat.delete"


class SlackSettings(Settings, frozen=True):
    """Settings of `plugin: slack`: a `url`, or a `bot_token`."""

    url: Annotated[
        Secret | None,
        Meta(
            description="Incoming webhook, workflow or trigger URL of Slack, or an Apprise slack://."
        ),
    ] = None
    bot_token: Annotated[
        Secret | None, Meta(description="A bot's token, xoxb-…, with the scope chat:write.")
    ] = None
    channel: Annotated[
        str,
        Meta(
            description="Where the bot posts: #name, C0123456789 or @user. "
            "Left out, it is the recipient's contact of the kind slack.",
        ),
    ] = ""
    blocks: Annotated[bool, Meta(description="Lay the message out as blocks, with a headline.")] = (
        False
    )

    def __post_init__(self) -> None:
        """Raise `ValueError` for neither or both of `url` and `bot_token`, and for a wrong one."""
        if (self.url is None) == (self.bot_token is None):
            raise ValueError("needs either `url` or `bot_token`")
        if self.channel and self.bot_token is None:
            raise ValueError("channel: goes with `bot_token`; a webhook's channel is set in Slack")
        if self.url is not None:
            check_file_arguments(self.url.reveal())
        options = parse_settings(self, "C0000000000")
        try:
            make_plugin((NotifySlack, options))
        except BuildError:
            raise ValueError(
                "url: is not a webhook of Slack"
                if self.url
                else "bot_token: is not a bot token of Slack"
            ) from None


class SlackMessage(NotifySlack):
    """A message with the router's layout: Apprise's own has no preview and drops the link."""

    def __init__(self, *, content: dict[str, Any], **options: Any) -> None:  # noqa: ANN401 - Apprise's options
        """Store the content as bytes, so that no search for addresses finds one in it."""
        super().__init__(**options)
        self._content = msgspec.json.encode(content)

    def _send(self, url: str, payload: dict[str, Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401 - Apprise's signature
        target = {k: payload[k] for k in ("channel", "thread_ts", "username") if k in payload}
        content: dict[str, Any] = msgspec.json.decode(self._content)
        return super()._send(url, content | target, *args, **options)


class Slack(AppriseChannel[SlackSettings]):
    """One message to one channel or person."""

    name = "slack"
    Settings = SlackSettings
    limits = Limits(title=MAX_TITLE_LENGTH, body=MAX_BODY_LENGTH)
    service: ClassVar[ServiceAnswers | None] = ServiceAnswers(
        source="https://docs.slack.dev/reference/methods/chat.postMessage#errors"
    )
    response_codes: ClassVar[Mapping[int | str, ResponseMeaning]] = {
        **dict.fromkeys(SUSPEND_CODES, "suspend"),
        **dict.fromkeys(RETRY_CODES, "retry"),
        **dict.fromkeys(THROTTLE_CODES, "throttled"),
        "no_permission": "refused",  # the bot may only lack membership in this conversation
        403: "suspend",
        404: "suspend",
        410: "suspend",
    }
    placeholders: ClassVar[Mapping[str, str | Callable[[], str]]] = {
        "url": "https://hooks.slack.com/services/T00000000/B00000000/sandboxsandboxsandboxsan",
        "bot_token": "xoxb-000000000000-000000000000-sandboxsandboxsandboxsan",
    }

    @classmethod
    def normalize_address(
        cls,
        address: str,
        *,
        settings: SlackSettings | None,  # noqa: ARG003 - a recipient's address says it all
        country: str = "",  # noqa: ARG003 - the same everywhere
        is_fixed: bool = False,  # noqa: ARG003 - the same for the operator
    ) -> str:
        """Return the address; raises `AddressError` where Apprise reads a thread out of it."""
        if ":" in address:
            raise AddressError("names a thread; write the channel or the person alone")
        return address

    def write_address(self, address: str) -> str:
        """Return the address; raises `AddressError` where Apprise reads a thread out of it."""
        return self.normalize_address(address, settings=self.settings)

    def __init__(self, settings: SlackSettings, transport: Transport) -> None:
        """Cache the parsed URL for each address: parsing takes as long as a send."""
        super().__init__(settings, transport)
        self._parse = lru_cache(512)(lambda address: parse_settings(settings, address))

    @classmethod
    def needs_contact(cls, settings: SlackSettings) -> bool:
        """Return whether the recipient's contact names the Slack channel."""
        if settings.url is None:
            return not settings.channel
        return "{to}" in settings.url.reveal()

    async def update(self, handle: str, message: Message) -> Outcome:
        """Try once to replace the content of a bot's message, attachments and blocks too."""
        exchanges: list[Exchange] = []
        outcome = await self._update(handle, message, exchanges)
        plainer = self.simplify_message(message, exchanges[-1]) if exchanges else None
        return outcome if plainer is None else await self._update(handle, plainer, [])

    async def _update(self, handle: str, message: Message, exchanges: list[Exchange]) -> Outcome:
        content = {"attachments": [], "blocks": []} | self._write_content(message)
        return await self._call_api(UPDATE_URL, handle, content, message.address, exchanges)

    async def retract(self, handle: str) -> Outcome:
        """Try once to remove a bot's message."""
        return await self._call_api(DELETE_URL, handle, {}, "", [])

    async def _call_api(
        self,
        url: str,
        handle: str,
        content: dict[str, Any],
        address: str,
        exchanges: list[Exchange],
    ) -> Outcome:
        """Call an API method for the message of a handle; append its exchange to `exchanges`."""
        channel, _, ts = handle.partition(":")
        token = self._parse("C0000000000").get("access_token")
        if not token or not ts:
            return Rejected(reason="only messages that the bot posted can be changed")
        request = Request(
            method="POST",
            url=url,
            headers={
                "authorization": f"Bearer {token}",
                "content-type": "application/json; charset=utf-8",
            },
            body=msgspec.json.encode({"channel": channel, "ts": ts, **content}),
        )
        return await self.send_request(request, address=address, exchanges=exchanges)

    def choose_plugin(self, message: Message) -> Build:
        """Return Apprise's class for Slack with the message."""
        options = self._parse(message.address)
        if options.get("mode") in WORKFLOW_MODES:
            return SlackMessage, options | {"content": _write_plain(message)}
        return SlackMessage, options | {"content": self._write_content(message)}

    def _write_content(self, message: Message) -> dict[str, Any]:
        return (_write_blocks if self.settings.blocks else _write_text)(message)

    def format_message(self, message: Message) -> tuple[str, str]:
        """Return a body that Apprise accepts; `choose_plugin` carries the real message."""
        return "", message.body or message.title or message.kind

    def carries_message(self, request: Request) -> bool:
        """Return False for the look-up of a person by e-mail address."""
        return "users.lookupByEmail" not in request.url

    def error_code(self, exchange: Exchange) -> str:
        """Return Slack's error code: a field of a bot's answer, the whole body of a webhook's."""
        if exchange.json_value("ok") is False:
            return str(exchange.json_value("error") or "unknown_error")
        is_accepted = exchange.status == 200  # noqa: PLR2004 - HTTP's own number
        return (
            exchange.body.decode()
            if not is_accepted and ERROR_CODE.fullmatch(exchange.body)
            else ""
        )

    def classify(self, exchanges: Sequence[Exchange]) -> Outcome | None:
        """Return `Delivered` for the deletion of a message that no longer exists."""
        exchange = exchanges[-1] if exchanges else None
        if (
            exchange is None
            or exchange.request.url != DELETE_URL
            or self.error_code(exchange) != NO_SUCH_MESSAGE
        ):
            return None
        return Delivered(status=exchange.status)

    def simplify_message(self, message: Message, exchange: Exchange) -> Message | None:
        """Return the message with its image as a link where Slack refused the image, else None."""
        if not message.image or self.error_code(exchange) not in IMAGE_REFUSAL_CODES:
            return None
        return replace(message, image="", link=message.link or message.image)

    def read_handle(self, exchange: Exchange) -> str:
        """Return the channel and time stamp that name a bot's message."""
        channel, ts = exchange.json_value("channel"), exchange.json_value("ts")
        return f"{channel}:{ts}" if isinstance(channel, str) and isinstance(ts, str) else ""

    def sandbox(self, request: Request) -> Response:
        """Return Slack's answer to an accepted message."""
        if "/services/" in request.url:
            return Response(status=200, body=b"ok")
        user = b'{"ok": true, "user": {"id": "U0000000000"}}'
        accepted = b'{"ok": true, "channel": "C0000000000", "ts": "1700000000.000100"}'
        return Response(status=200, body=accepted if self.carries_message(request) else user)


def parse_settings(settings: SlackSettings, address: str) -> dict[str, Any]:
    """Return the keyword arguments of Apprise's class for Slack."""
    if settings.bot_token is not None:
        target = settings.channel or address
        return {"access_token": settings.bot_token.reveal(), "targets": [target]}
    url = "" if settings.url is None else settings.url.reveal()
    try:
        kind, options = parse_url(url)
    except BuildError:
        raise ValueError(INVALID_URL) from None
    if kind is not NotifySlack:
        raise ValueError(INVALID_URL)
    if len(options["targets"]) > 1:
        raise ValueError("url: reaches several at once; write a channel for each of them")
    options["targets"] = [address if t == "{to}" else t for t in options["targets"]]
    return options


def fit_text(text: str, size: int) -> str:
    """Return a text escaped for Slack, of at most `size` characters."""
    return _escape(truncate(text, size, measure=lambda part: len(_escape(part))))


def _escape(text: str) -> str:
    return escape(text, quote=False)


def _write_plain(message: Message) -> dict[str, Any]:
    return {"text": ": ".join(filter(None, (message.title, message.body)))}


def _write_text(message: Message) -> dict[str, Any]:
    title = " ".join(message.title.split())
    lines = [
        f"*{fit_text(title, MAX_TITLE_LENGTH - 2)}*" if title else "",
        fit_text(message.body, MAX_BODY_LENGTH),
        _write_link(message.link),
    ]
    content: dict[str, Any] = {"text": "\n".join(filter(None, lines))}
    if message.image:
        content["attachments"] = [{"fallback": "image", "image_url": message.image}]
    return content


def _write_blocks(message: Message) -> dict[str, Any]:
    title, body = fit_text(message.title, MAX_TITLE_LENGTH), fit_text(message.body, MAX_BODY_LENGTH)
    blocks: list[dict[str, Any]] = []
    if title:
        blocks.append({"type": "header", "text": {"type": "plain_text", "text": title}})
    if body:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": body}})
    if message.image:
        blocks.append({"type": "image", "image_url": message.image, "alt_text": "image"})
    if message.link:
        element = {"type": "mrkdwn", "text": _write_link(message.link)}
        blocks.append({"type": "context", "elements": [element]})
    return {"text": ": ".join(filter(None, (title, body))), "blocks": blocks}


def _write_link(link: str) -> str:
    return f"<{_escape(link).replace('|', '%7C')}>" if link else ""


@hookimpl
def register_channels(register: Register) -> None:
    """Register the channel."""
    register(Slack)
