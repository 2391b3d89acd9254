"""The rules texts that were once in force, so that a broken file on disk stops nothing."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, select

from router.store.db.database import Database
from router.store.db.dialect import insert_or
from router.store.log.stored_rules import StoredFile, StoredRules
from router.store.schema.tables import rulesets

_INCLUDED = msgspec.json.Decoder(tuple[StoredFile, ...])


class Rulesets:
    """The rules texts kept in a database."""

    def __init__(self, database: Database) -> None:
        """Use a database."""
        self._database = database

    async def keep(self, rules: StoredRules) -> None:
        """Keep a good text; the one kept last is the one to fall back to."""
        row = {
            "version": rules.version,
            "file": rules.file,
            "text": rules.text.encode(),
            "included": msgspec.json.encode(rules.included),
            "loaded_at": rules.loaded_at,
        }
        await self._database.write(
            lambda connection: connection.execute(
                insert_or(connection, rulesets, _refresh_time), row
            )
        )

    async def last(self) -> StoredRules | None:
        """Return the text kept last; None when none ever was."""
        return await self._first(select(rulesets).order_by(rulesets.c.loaded_at.desc()).limit(1))

    async def get(self, version: str) -> StoredRules | None:
        """Return the text with this hash; None when it is not kept."""
        return await self._first(select(rulesets).where(rulesets.c.version == version))

    async def _first(self, query: Select[Any]) -> StoredRules | None:
        def read(connection: Connection) -> StoredRules | None:
            row = connection.execute(query).first()
            if row is None:
                return None
            return StoredRules(
                version=row.version,
                text=row.text.decode(),
                file=row.file,
                included=_INCLUDED.decode(row.included) if row.included else (),
                loaded_at=row.loaded_at,
            )

        return await self._database.read(read)


def _refresh_time(row: Any) -> dict[str, ColumnElement[Any]]:  # noqa: ANN401 - the columns of a row
    return {"file": row.file, "included": row.included, "loaded_at": row.loaded_at}
