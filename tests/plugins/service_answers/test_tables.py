"""How the answers of the services that Apprise sends to are read, case by case."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import yaml
from apprise.manager_plugins import NotificationManager
from msgspec import Struct, field

from router import Channel, Delivered, Outcome, Rejected, Retry, Suspend
from router.bridge import Request, Response, make_plugin, parse_url
from router.plugins._service_answers import SERVICE_ANSWERS, SUCCESS_BODY
from router.plugins.apprise.channel import Apprise
from router.plugins.email import Email
from router.plugins.sms.channel import SCHEMES, Sms
from router.testing import FakeProvider, ProviderReply
from tests import TESTDATA
from tests.bridge.apprise_plugins import notify
from tests.plugins.opening import make_message, open_channel, read_settings

NOW = 1_760_000_000.0


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """What the service answers, what the router is to make of it, and to which request."""

    status: int = 200
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)
    means: str = "delivered"
    code: str = ""
    after: float | None = None
    at: str = "send"

    def reply(self) -> ProviderReply:
        """Return the answer as a server gives it; times are counted from now."""
        raw = self.body.encode() if isinstance(self.body, str) else msgspec.json.encode(self.body)
        headers = {name: _write_time(text) for name, text in self.headers.items()}
        return ProviderReply(status=self.status, body=raw, headers=headers)


class Service(Struct, frozen=True, forbid_unknown_fields=True):
    """A service, where it is reached, and its documented answers."""

    url: str
    address: str = ""
    login: Answer = Answer(body=SUCCESS_BODY.decode())
    taken: list[Answer] = []
    cases: list[Answer] = []


def _write_time(text: str) -> str:
    if found := re.fullmatch(r"\{now\+([0-9]+)\}", text):
        return str(int(NOW) + int(found[1]))
    if found := re.fullmatch(r"\{date\+([0-9]+)\}", text):
        return datetime.fromtimestamp(NOW + int(found[1]), UTC).isoformat()
    return text


FOLDER = TESTDATA / "service_answers"
FAMILIES: Mapping[str, Mapping[str, Service]] = {
    file.stem: msgspec.convert(
        yaml.safe_load(file.read_text("utf-8")), dict[str, Service], strict=False
    )
    for file in sorted(FOLDER.glob("*.yaml"))
}
SERVICES = {name: service for family in FAMILIES.values() for name, service in family.items()}
TAKEN_CASES = [(n, answer) for n, service in SERVICES.items() for answer in service.taken]
CASES = [(n, answer) for n, service in SERVICES.items() for answer in service.cases]


def channels_for(name: str) -> list[type[Channel[Any]]]:
    """Return the channels that a service can be configured for."""
    own: type[Channel[Any]] | None = None
    scheme = SERVICES[name].url.partition("://")[0]
    if name in FAMILIES["sms"] and scheme in SCHEMES:
        own = Sms
    if name in FAMILIES["mail"] and name != "Groundmail":
        own = Email
    if name == "Voipms":  # Apprise itself reads its numbers without their country
        return [Sms]
    return [Apprise] if own is None else [Apprise, own]


async def play(name: str, answer: Answer, channel: type[Channel[Any]]) -> Outcome:
    """Send one message to a server that answers so, and return its outcome."""
    service = SERVICES[name]
    row = SERVICE_ANSWERS[f"Notify{name}"]

    def give(request: Request) -> ProviderReply:
        chosen = answer if row.is_login(request) == (answer.at == "login") else service.login
        return chosen.reply()

    async with (
        FakeProvider(answer=give) as provider,
        open_channel(channel, {"url": service.url}, elsewhere=provider.url) as opened,
    ):
        vars(opened)["clock"] = lambda: NOW
        outcome = await opened.send(make_message(address=service.address))
        assert provider.requests, "nothing was sent"
    return outcome


def describe(outcome: Outcome) -> str:
    """Return an outcome in the words of the tables."""
    match outcome:
        case Delivered():
            return "delivered"
        case Retry():
            return "throttled" if outcome.throttled else "retry"
        case Rejected():
            return "gone" if outcome.forget_contact else "rejected"
        case Suspend():
            return "suspend" if outcome.scope == "channel" else "held"
    return "unknown"


@pytest.mark.parametrize(
    ("name", "answer"), TAKEN_CASES, ids=[f"{n}-{a.status}" for n, a in TAKEN_CASES]
)
async def test_a_documented_yes_is_a_delivery(name: str, answer: Answer) -> None:
    for channel in channels_for(name):
        outcome = await play(name, answer, channel)
        assert isinstance(outcome, Delivered), outcome


@pytest.mark.parametrize(
    ("name", "answer"), CASES, ids=[f"{n}-{a.status}-{a.code or a.means}" for n, a in CASES]
)
async def test_a_documented_no_means_what_its_vendor_says(name: str, answer: Answer) -> None:
    for channel in channels_for(name):
        outcome = await play(name, answer, channel)
        assert describe(outcome) == answer.means, outcome
        assert not isinstance(outcome, Delivered)
        assert f"({answer.code})" in outcome.reason or not answer.code
        if answer.after is not None:
            assert isinstance(outcome, Retry | Suspend)
            assert outcome.after == pytest.approx(answer.after)


def enabled() -> list[str]:
    """Return the names of every class that Apprise can send by on this machine."""
    known = NotificationManager()
    known.load_modules()
    return sorted({known[scheme].__name__ for scheme in known.schemas() if known[scheme].enabled})


@pytest.mark.parametrize("name", enabled())
def test_every_service_has_a_row_with_its_source(name: str) -> None:
    row = SERVICE_ANSWERS[name]
    assert row.source


@pytest.mark.parametrize("name", sorted(SERVICE_ANSWERS))
def test_a_row_that_tells_failures_is_tried_with_both_answers(name: str) -> None:
    row = SERVICE_ANSWERS[name]
    short = name.removeprefix("Notify")
    if row.failures and name not in UNTRIED:
        service = SERVICES[short]
        assert service.taken
        assert [a for a in service.cases if 200 <= a.status < 300]


SURPRISES = (
    b"",
    b"{}",
    b'{"surprise": 1}',
    b'{"message": "whatever"}',
    b"<html><body>Maintenance</body></html>",
    b"[1, 2]",
    b"null",
)
"""Bodies that no vendor documents."""


class Stub:
    """A way out that gives one answer to every request, and another to a login."""

    is_live = True

    def __init__(self, name: str, reply: ProviderReply) -> None:
        self._login = SERVICE_ANSWERS[f"Notify{name}"].is_login
        self._token = SERVICES[name].login.reply()
        self._reply = reply

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
        reply = self._token if self._login(request) else self._reply
        return Response(status=reply.status, body=reply.body)


async def ask_stock(name: str, transport: Stub) -> bool:
    """Return whether Apprise's own plugin takes the answer for a yes; a crash is none."""
    url = SERVICES[name].url.replace("{to}", quote(opened_address(name), safe=""))
    try:
        done, _ = await notify(make_plugin(parse_url(url)), transport)
    except Exception:  # noqa: BLE001 - a plugin may raise anything
        return False
    return done


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize("name", sorted(SERVICES))
async def test_what_no_table_knows_is_what_stock_apprise_says(name: str, status: int) -> None:
    service = SERVICES[name]
    channel = channels_for(name)[0]
    settings = read_settings(channel, {"url": service.url})
    for body in SURPRISES:
        transport = Stub(name, ProviderReply(status=status, body=body))
        opened = channel(settings, transport)
        outcome = await opened.send(make_message(address=service.address))
        await opened.aclose()
        assert isinstance(outcome, Delivered) == await ask_stock(name, transport), (body, outcome)


def opened_address(name: str) -> str:
    """Return the address as the channel hands it to Apprise."""
    address = SERVICES[name].address
    return address.removeprefix("+1") if name == "Voipms" else address


UNTRIED = {
    "NotifyFCM": "its requests are signed with a key file; see the tests of `plugin: push`",
    "NotifyNextcloud": "its groups are asked for first; NextcloudTalk has the same rows",
}
"""Services that need more than a URL."""
