"""A channel by any URL, and answers that suit every service that logs in."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from router import Secret, Settings
from router.bridge import (
    AppriseChannel,
    BodyTest,
    ErrorCode,
    Request,
    ServiceAnswers,
    Transport,
)
from router.testing import ProviderReply


class AnySettings(Settings, frozen=True):
    """A URL."""

    url: Annotated[Secret, Meta(description="The URL.")]


class AnyChannel(AppriseChannel[AnySettings]):
    """Whatever the URL names."""

    name = "any"
    Settings = AnySettings
    services: ClassVar[Mapping[str, ServiceAnswers]] = {
        "NotifyWeChat": ServiceAnswers(
            source="https://developer.work.weixin.qq.com/document/path/90236",
            failures=(BodyTest("errcode", other_than=(0,)),),
            codes=(ErrorCode("errcode", "[1-9][0-9]*"),),
            response_codes={"42001": "suspend"},
        )
    }


def open_any(url: str, transport: Transport, **options: Any) -> AnyChannel:  # noqa: ANN401 - any setting
    """Return a channel of a URL."""
    return AnyChannel(AnySettings(url=Secret(url), **options), transport)


SESSIONS = [{"Id": "s1"}]
"""What a media server says of its sessions."""

TAKEN: dict[str, object] = {
    "AccessToken": "T",
    "Id": "u",
    "access_token": "T",
    "accessJwt": "T",
    "data": {"authToken": "T", "userId": "u"},
    "default_workspace": 1,
    "did": "did:plc:abcdefghijklmnopqrstuvwx",
    "errcode": 0,
    "expires_in": 7200,
    "json": {"errors": []},
    "result": True,
    "result_code": 0,
    "room_id": "!r:h.example",
    "service": [
        {"type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://pds.example"},
    ],
    "status": "success",
    "success": True,
    "token": "T",
    "user_id": "@u:h.example",
}
"""What the services look for in a good answer, all in one."""


def answer(request: Request) -> ProviderReply:
    """Answer as each service does that took what it was asked."""
    body = SESSIONS if "/Sessions" in request.url else TAKEN
    return ProviderReply(
        body=msgspec.json.encode(body), headers={"content-type": "application/json"}
    )
