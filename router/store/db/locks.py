"""Locks between processes on one PostgreSQL, held until the transaction ends.

SQLite lets one transaction write at a time, so that there each of them is free. None but `lock` and
`lock_all` waits: what somebody else works on is left to them.
"""

from collections.abc import Collection
from hashlib import blake2b

from sqlalchemy import BigInteger, Connection, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY

_keys = func.unnest(bindparam("keys", type_=ARRAY(BigInteger))).table_valued("key").render_derived()
_key = column("key", BigInteger)
_wait = select(func.pg_advisory_xact_lock(_key)).select_from(_keys)
_try = select(_key).select_from(_keys).where(func.pg_try_advisory_xact_lock(_key))


def is_shared(connection: Connection) -> bool:
    """Return whether other processes may be writing at this moment."""
    return connection.dialect.name == "postgresql"


def lock(connection: Connection, *name: str) -> None:
    """Wait for the lock of that name; the parts of a name are kept apart."""
    if is_shared(connection):
        connection.execute(_wait, {"keys": [_hash(name)]})


def lock_all(connection: Connection, kind: str, names: Collection[str]) -> None:
    """Wait for the locks of several names of a kind, in one order for everybody."""
    if is_shared(connection):
        keys = sorted(_hash((kind, name)) for name in names)
        connection.execute(_wait, {"keys": keys}).close()


def try_lock(connection: Connection, *name: str) -> bool:
    """Return whether the lock of that name was free and is ours now."""
    key = _hash(name)
    return try_locks(connection, [key]) == {key}


def try_locks(connection: Connection, keys: Collection[int]) -> set[int]:
    """Return those of the keys (signed 64-bit) that were free and are ours now."""
    if not is_shared(connection) or not keys:
        return set(keys)
    return set(connection.execute(_try, {"keys": sorted(keys)}).scalars())


def _hash(name: tuple[str, ...]) -> int:
    whole = "\0".join(name).encode("utf-8", "replace")
    return int.from_bytes(blake2b(whole, digest_size=8).digest(), signed=True)
