"""What both sides see of the world: a clock that stands still, and the same random numbers."""

import base64
import datetime as dt
import email.utils
import itertools
import os
import random
import secrets
import socket
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import msgspec
from apprise.manager_plugins import NotificationManager

T = TypeVar("T")

NOW = 1_760_000_000.0

STATUSES = (200, 201, 202, 204)
"""What services answer to a message they took; each is given the first it takes for a yes."""

TAKEN: dict[str, Any] = msgspec.json.decode(
    b"""{
    "ok": true, "success": true, "status": "success", "id": "7", "code": 0, "errcode": 0,
    "access_token": "t", "refresh_token": "r", "token_type": "Bearer", "expires_in": 3600,
    "token": "t", "jwt": "t", "room_id": "!room:example.com", "home_server": "example.com",
    "user_id": "@router:example.com", "device_id": "D", "requestId": "q", "accessJwt": "t",
    "refreshJwt": "r", "did": "did:plc:x", "data": {"authToken": "a", "userId": "b", "id": "7"},
    "joined_rooms": ["!room:example.com"], "result": []
    }"""
)
"""What services look for in a good answer, all in one."""


class FrozenDatetime(dt.datetime):
    """A `datetime` whose present does not pass."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> "FrozenDatetime":
        """Return the moment at which the clock stands."""
        return cls.fromtimestamp(NOW, tz)

    @classmethod
    def utcnow(cls) -> "FrozenDatetime":
        """Return the moment at which the clock stands, in UTC, without saying so."""
        return cls.fromtimestamp(NOW, dt.UTC).replace(tzinfo=None)


def freeze() -> None:
    """Stop the clock and close the network, for the life of this process."""
    for name, module in list(sys.modules.items()):
        if name.startswith("apprise.") and vars(module).get("time") is time.time:
            vars(module)["time"] = lambda: NOW
    time.time = lambda: NOW
    time.sleep = lambda _: None
    time.time_ns = lambda: int(NOW * 1e9)
    time.gmtime = _at_a_time(time.gmtime)
    time.localtime = _at_a_time(time.localtime)
    socket.socket.connect = _refuse  # type: ignore[method-assign]  # nobody connects
    socket.getaddrinfo = _refuse
    socket.create_connection = _refuse
    socket.getfqdn = lambda name="": name or "router.example.com"
    for plugin in NotificationManager().plugins():
        if "__del__" in vars(plugin):
            del (
                plugin.__del__
            )  # logging out is no part of a message, and the bridge has it elsewhere
    for name, module in list(sys.modules.items()):
        if name.startswith("apprise.") and vars(module).get("datetime") is dt.datetime:
            vars(module)["datetime"] = FrozenDatetime


def _at_a_time(read: Callable[[float], T]) -> Callable[..., T]:
    return lambda at=NOW: read(at)


def _refuse(*_: object, **__: object) -> NoReturn:
    raise OSError("no network in this test")


def begin() -> None:
    """Begin the same row of random numbers."""
    random.seed(7)
    numbers = itertools.count(1)
    uuid.uuid4 = lambda: uuid.UUID(int=next(numbers), version=4)
    uuid.uuid1 = lambda *_, **__: uuid.UUID(int=next(numbers), version=1)
    os.urandom = lambda size: bytes(next(numbers) % 256 for _ in range(size))
    vars(secrets).update(
        token_bytes=lambda size=32: os.urandom(size or 32),
        token_hex=lambda size=32: os.urandom(size or 32).hex(),
        token_urlsafe=lambda size=32: base64.urlsafe_b64encode(os.urandom(size or 32)).decode(),
        randbelow=lambda most: next(numbers) % most,
    )
    email.utils.make_msgid = lambda *_, **__: f"<{next(numbers)}@router.example.com>"
