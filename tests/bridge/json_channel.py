"""A channel of the tests' own, and how a message is sent through it."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from router import Outcome, Secret, Settings
from router.bridge import AppriseChannel, Exchange, Request, Response, ResponseCodes
from router.testing import ScriptedTransport, make_message
from router.testing.script import ScriptedResult

OK = Response(status=200, body=b'{"id": "7"}')


class JsonSettings(Settings, frozen=True):
    """A server of one's own."""

    token: Annotated[Secret, Meta(description="The token.")]
    region: Annotated[Literal["eu", "us"], Meta(description="Where.")] = "eu"


class Json(AppriseChannel[JsonSettings]):
    """JSON to a server of one's own."""

    name = "json"
    Settings = JsonSettings
    url = "jsons://router:{token}@{region}.example/to?:place={to}"
    response_codes: ClassVar[ResponseCodes] = {"busy": "retry", "left": "gone", 404: "suspend"}

    def error_code(self, exchange: Exchange) -> str:
        return str(exchange.json_value("error") or "")

    def read_handle(self, exchange: Exchange) -> str:
        return str(exchange.json_value("id") or "")


SETTINGS = JsonSettings(token=Secret("p@ss/w&rd?x=1"))


async def send(
    line: ScriptedResult,
    kind: type[Json] = Json,
    settings: JsonSettings = SETTINGS,
    **changes: object,
) -> tuple[Outcome, list[Request]]:
    """Send one message and return its outcome and its requests."""
    transport = ScriptedTransport(line)
    channel = kind(settings, transport)
    outcome = await channel.send(make_message(**({"address": "anna"} | changes)))
    await channel.aclose()
    return outcome, transport.carried
