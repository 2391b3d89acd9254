"""Deliver through any other service that Apprise knows.

The services: https://appriseit.com/services/
Some of them answer 200 and say in the body that they failed:
https://documentation.onesignal.com/reference/create-message,
https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot (Lark is the same),
https://open.dingtalk.com/document/robots/custom-robot-access,
https://developer.work.weixin.qq.com/document/path/91770,
https://developer.vonage.com/en/api-errors/sms, https://developers.clicksend.com/docs,
https://developers.smtp2go.com/reference/send-standard-email
"""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar

from msgspec import Meta

from router import Register, Secret, Settings, hookimpl
from router.bridge import AppriseChannel, Build, Hop, Reading, Request, Response, check_url


class AppriseSettings(Settings, frozen=True):
    """Settings of `plugin: apprise`."""

    url: Annotated[
        Secret,
        Meta(
            description="Any Apprise URL, as discord://ID/TOKEN. With {to} in its path, "
            "it reaches the recipient's contact of the kind apprise."
        ),
    ]

    def __post_init__(self) -> None:
        """Refuse what Apprise cannot read."""
        check_url(self.url.reveal())


class Apprise(AppriseChannel[AppriseSettings]):
    """One message to whatever the URL names."""

    name = "apprise"
    Settings = AppriseSettings
    answers: ClassVar[Mapping[int | str, Reading]] = {
        402: "suspend",
        "onesignal invalid_player_ids": "gone",
        "feishu 11232": "retry",
        "feishu 19001": "suspend",
        "feishu 19021": "suspend",
        "feishu 19022": "suspend",
        "lark 11232": "retry",
        "lark 19001": "suspend",
        "lark 19021": "suspend",
        "lark 19022": "suspend",
        "dingtalk 130101": "retry",
        "dingtalk 300001": "suspend",
        "wecombot 45009": "retry",
        "wecombot 93000": "suspend",
        "vonage 1": "retry",
        "vonage 4": "suspend",
        "vonage 9": "suspend",
        "nexmo 1": "retry",
        "nexmo 4": "suspend",
        "nexmo 9": "suspend",
        "clicksend THROTTLED": "retry",
        "clicksend INVALID_CREDENTIALS": "suspend",
        "clicksend INSUFFICIENT_CREDIT": "suspend",
    }
    placeholders: ClassVar[Mapping[str, str | Callable[[], str]]] = {
        "url": "jsons://notify.example/sandbox"
    }

    def error_code(self, hop: Hop) -> str:
        """Return the service and its error code, where its answers are known to hold one."""
        scheme = self.settings.url.reveal().partition("://")[0].lower()
        reader = READERS.get(scheme)
        code = None if reader is None else reader(hop)
        return super().error_code(hop) if code is None else f"{scheme} {code}"

    def complete(self, build: Build) -> Build:
        """Return the service with the action that hands a message over, where the URL names none.

        Apprise's own choice for alerts (Opsgenie, Jira) is a note on an alert that it opened
        before, and nothing at all where there is none:
        https://appriseit.com/services/opsgenie/
        """
        kind, options = build
        if options["schema"] in ALERTS and not (options.get("action") or options.get("mapping")):
            return kind, options | {"action": "new"}
        return build

    def sandbox(self, request: Request) -> Response:
        """Answer as most services do to a message they took."""
        host = request.url.split("/", 3)[2]
        return Response(status=202 if host in LATER else 200, body=TAKEN)


TAKEN = (
    b'{"ok": true, "success": true, "status": "success", "id": "sandbox", "code": 0, "errcode": 0, '
    b'"access_token": "sandbox", "expires_in": 3600, "data": {"authToken": "a", "userId": "b"}}'
)
"""What services look for in a good answer, all in one."""

ALERTS = frozenset({"jira", "opsgenie"})
"""Services with an action for each type of message; a router's messages have no type."""

LATER = frozenset({"events.pagerduty.com", "events.eu.pagerduty.com"})
"""Hosts that say 202 for yes."""


def _read_onesignal(hop: Hop) -> object:
    errors = hop.field("errors")
    if isinstance(errors, dict):
        return next(iter(errors), None)
    return "errors" if errors else None


def _read_number(*path: str | int) -> Callable[[Hop], object]:
    """Return a reader of a number that is 0 when all went well."""

    def read(hop: Hop) -> object:
        code = hop.field(*path)
        return None if code in {None, 0, "0"} else code

    return read


def _read_clicksend(hop: Hop) -> object:
    status = hop.field("data", "messages", 0, "status") or hop.field("response_code")
    return None if status in {None, "SUCCESS"} else status


READERS: Mapping[str, Callable[[Hop], object]] = {
    "onesignal": _read_onesignal,
    "feishu": _read_number("code"),
    "lark": _read_number("code"),
    "dingtalk": _read_number("errcode"),
    "wecombot": _read_number("errcode"),
    "vonage": _read_number("messages", 0, "status"),
    "nexmo": _read_number("messages", 0, "status"),
    "clicksend": _read_clicksend,
    "smtp2go": _read_number("data", "failed"),
}


@hookimpl
def register_channels(register: Register) -> None:
    """Offer the channel."""
    register(Apprise)
