"""Sends pushes through the `push` channel as fast as it can, and prints what that cost."""

import asyncio
import resource
import sys
import time
from importlib import resources
from pathlib import Path

import msgspec
import uvloop
from msgspec.structs import replace

from benchmarks.process import own_cpu
from router import Delivered, Message, Secret
from router.core.model.facts import Device
from router.core.model.notification import derive
from router.core.model.payload import decode
from router.plugins.push import es256_jwt, fcm_access_token
from router.plugins.push.channel import Push, PushSettings
from router.transport.http import AiohttpTransport

AT_ONCE = 64
PLATFORMS = {"apns": "apns_ios_device", "fcm": "fcm_android", "webpush": "web"}


_POINT = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
"""A public key, from the example of RFC 8291."""


def subscribe(number: int) -> str:
    """Return a browser's subscription; the browser is one, and so is its push service."""
    keys = {"p256dh": _POINT, "auth": "BTBZMqHH6r4Tts7J_aSIgg"}
    told = {"endpoint": f"https://push.example.net/{number}", "keys": keys}
    return msgspec.json.encode(told).decode()


def make_message(platform: str, address: str) -> Message:
    """Return a documented chat message to a device of a platform."""
    sample = Path(str(resources.files("router.samples"))) / "push_chat_one_on_one.json"
    told = derive(decode(sample.read_bytes()), id="0192f0c1a2b3", accepted_at=time.time())
    return Message(
        address=address,
        title="Andrew Joseph",
        body="Message 0000000001",
        expires=time.time() + 3600,
        collapse="message:1",
        kind=told.kind,
        notification=told,
        device=Device(platform=platform),
        delivery="0192f0c1a2b3-0",
        rule="chat",
    )


def _hide(_: type, text: str) -> Secret:
    return Secret(text)


async def push_all(way: str, url: str, count: int) -> dict[str, float]:
    """Return what so many pushes took."""
    key = {"key": es256_jwt.make_placeholder_key(), "topic": "com.example.chat"}
    vapid = {"private_key": es256_jwt.make_placeholder_key(), "subject": "mailto:ops@example.com"}
    settings = {
        "apns": {"apns": {**key, "key_id": "ABC123DEFG", "team_id": "DEF123GHIJ"}},
        "fcm": {"fcm": {"service_account": fcm_access_token.make_placeholder_account()}},
        "webpush": {"webpush": vapid},
    }
    transport = AiohttpTransport(rewrite={"*": url})
    channel = Push(msgspec.convert(settings[way], PushSettings, dec_hook=_hide), transport)
    address = subscribe if way == "webpush" else "{:064x}".format
    message = make_message(PLATFORMS[way], address(0))
    await channel.send(message)  # connection, token
    left = iter(range(count))
    cpu, began = own_cpu(), time.perf_counter()

    async def client() -> int:
        sent = 0
        for number in left:
            each = replace(message, address=address(number), delivery=f"d-{number}")
            sent += isinstance(await channel.send(each), Delivered)
        return sent

    sent = sum(await asyncio.gather(*(client() for _ in range(AT_ONCE))))
    figures = {
        "sent": sent,
        "seconds": time.perf_counter() - began,
        "cpu": own_cpu() - cpu,
        "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    await channel.aclose()
    await transport.aclose()
    return figures


if __name__ == "__main__":
    found = uvloop.run(push_all(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    sys.stdout.buffer.write(msgspec.json.encode(found))
