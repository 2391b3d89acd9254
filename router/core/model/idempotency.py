"""What makes two payloads the same event: the idempotency key."""

from collections.abc import Collection
from hashlib import blake2b

import msgspec

from router.core.model.payload import Json, Payload, prune

_PASSING = frozenset(
    {"unreadMessageCount", "senderName", "senderAvatar", "receiverName", "receiverAvatar"}
)
"""Keys of `notificationDetails` that may differ between two payloads of one event."""

_LOOKS = frozenset({"name", "avatar", "icon"})
"""Keys of a user or group that may."""


def identify(payload: Payload) -> tuple[str, str]:
    """Return the key of a payload's event, and with the recipient in it the idempotency key.

    The event is the app, the feed and `data` as it came, less the recipient, counters, avatars
    and names. What the team put into `custom` counts as it stands.
    """
    essence = [payload.app_id, payload.feed, _essence(payload.data)]
    event = _digest(msgspec.json.encode(essence, order="sorted"))
    return event, _digest(f"{event}\0{payload.uid}".encode())


def _essence(data: dict[str, Json]) -> dict[str, Json]:
    details = data.get("notificationDetails")
    essence = {key: part for key, part in data.items() if key != "to"}
    if not isinstance(details, dict):
        return prune(essence, _looks)
    kept = {key: part for key, part in details.items() if key not in _PASSING}
    custom = kept.pop("custom", None)
    del essence["notificationDetails"]
    return prune(essence, _looks) | {"notificationDetails": [prune(kept, _looks), custom]}


def _looks(value: dict[str, Json]) -> Collection[str]:
    if "uid" in value or "guid" in value:
        return _LOOKS.intersection(value)
    return ()


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
