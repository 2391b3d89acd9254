"""How the tests open a channel on fakes, and what they send."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar, cast

import msgspec

from router import Channel, Delivered, Message, Notification, Outcome, Settings
from router.core.model.notification import derive
from router.core.model.payload import Json, decode
from router.registry import PluginSchema
from router.transport.http import AiohttpTransport
from tests import SAMPLES
from tests.transport.certificate import read_authority

S = TypeVar("S", bound=Settings)
C = TypeVar("C", bound=Channel[Any])


class Fake(Protocol):
    """A provider on loopback and the hosts it stands in for."""

    url: str
    hosts: tuple[str, ...]


def read_sample(name: str) -> Notification:
    """Return the notification of a documented payload."""
    payload = decode((SAMPLES / f"{name}.json").read_bytes())
    return derive(payload, id="0192f0c1a2b3c4d5e6f708192a", accepted_at=time.time())


def make_message(sample: str = "push_chat_one_on_one", **changes: object) -> Message:
    """Return a message made of a sample, changed where a test says so."""
    told = read_sample(sample)
    message = Message(
        address="",
        title=str(told.details.get("title", "New notification")),
        body=str(told.details.get("body", "You have a new message")),
        expires=time.time() + 3600,
        kind=told.kind,
        notification=told,
        delivery=f"{told.id}-0",
        rule="chat",
    )
    return msgspec.structs.replace(message, **changes)


def without_reason(outcome: Outcome) -> Outcome:
    """Return an outcome less its words, which no test should depend on."""
    if isinstance(outcome, Delivered):
        return outcome
    return msgspec.structs.replace(outcome, reason="")


def read_settings(channel: type[Channel[S]], settings: Mapping[str, object]) -> S:
    """Return the settings as a rules file would give them."""
    read = PluginSchema(channel).convert(cast(Mapping[str, Json], settings))
    assert isinstance(read, channel.Settings)
    return read


@asynccontextmanager
async def open_channel(
    channel: type[C], settings: Mapping[str, object], *fakes: Fake, elsewhere: str = ""
) -> AsyncIterator[C]:
    """Open a channel over the real transport, with the hosts of the fakes pointed at them.

    With `elsewhere`, every other host is pointed there.
    """
    rewrite = {host: fake.url for fake in fakes for host in fake.hosts}
    if elsewhere:
        rewrite["*"] = elsewhere
    transport = AiohttpTransport(rewrite=rewrite, authorities=read_authority())
    opened = channel(read_settings(channel, settings), transport)
    try:
        yield opened
    finally:
        await opened.aclose()
        await transport.aclose()
