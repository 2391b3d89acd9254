"""Makes Apprise's Matrix plugin fit to share one login with others like it.

A homeserver takes a second request with the transaction id of the first for a repeat, and drops
it: ids must be unique for an access token.
https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid
Each message of a Megolm session has an index of its own, and receivers discard one that they
have seen: https://spec.matrix.org/v1.11/client-server-api/#mmegolmv1aes-sha2
"""

from collections import defaultdict
from threading import RLock
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from apprise import PersistentStore
from apprise.plugins.matrix import NotifyMatrix

_LOCKS: WeakKeyDictionary[PersistentStore, defaultdict[str, Any]] = WeakKeyDictionary()
"""A lock for each room, and one without a name, beside the keys that they guard."""


class SharedStoreMatrix(NotifyMatrix):
    """Sends with ids that no other plugin uses, and encrypts one message of a room at a time.

    It runs in threads of its own, where a lock may be held while a request is under way.
    """

    def send(self, *args: Any, **options: Any) -> bool:  # noqa: ANN401 - Apprise's signature
        """Send one message."""
        self.transaction_id = uuid4().int
        return bool(super().send(*args, **options))

    def _e2ee_setup(self) -> bool:
        with self._lock(""):
            return bool(super()._e2ee_setup())

    def _e2ee_send_to_room(self, room_id: str, *args: Any, **options: Any) -> bool:  # noqa: ANN401 - the same
        with self._lock(room_id):
            return bool(super()._e2ee_send_to_room(room_id, *args, **options))

    def _lock(self, room_id: str) -> Any:  # noqa: ANN401 - the type of locks has no public name
        return _LOCKS.setdefault(self.store, defaultdict(RLock))[room_id]
