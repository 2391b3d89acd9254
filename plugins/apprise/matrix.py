"""Apprise's Matrix plugin, changed so that several instances can share one login.

A homeserver drops a second request with the transaction id of the first as a repeat, so ids must
be unique for each access token:
https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid
Each message of a Megolm session has its own index, and receivers discard a repeated index: https://spec.matrix.org/v1.11/client-server-api/#mmegolmv1aes-sha2
"""

from collections import defaultdict
from threading import RLock
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from apprise import PersistentStore
from apprise.plugins.matrix import NotifyMatrix

_LOCKS: WeakKeyDictionary[PersistentStore, defaultdict[str, Any]] = WeakKeyDictionary()
"""A lock for each room, and one for the account under the empty name, by the store of the keys."""


class SharedStoreMatrix(NotifyMatrix):
    """Sends with unique transaction ids, and encrypts one message of a room at a time.

    It runs in its own threads, where it may hold a lock during a request.
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
