"""What differs between the databases: how an insert meets a row that is already there."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

MakeAssignments = Callable[[Any], dict[str, ColumnElement[Any]]]
"""Given the row that could not be inserted, says what to set in the row that is there."""


def insert_new(connection: Connection, table: Table) -> Insert:
    """Return an insert that leaves rows alone that are already there."""
    return _insert_new(connection.dialect.name, table)


def insert_or(
    connection: Connection,
    table: Table,
    change: MakeAssignments,
    where: ColumnElement[bool] | None = None,
) -> Insert:
    """Return an insert that changes a row with the same key instead, if `where` holds for it."""
    return _insert_or(connection.dialect.name, table, change, where)


@cache
def _insert_new(dialect: str, table: Table) -> Insert:
    return _insert(dialect, table).on_conflict_do_nothing()


@cache
def _insert_or(
    dialect: str, table: Table, change: MakeAssignments, where: ColumnElement[bool] | None
) -> Insert:
    statement = _insert(dialect, table)
    keys: Sequence[Column[Any]] = tuple(table.primary_key.columns)
    return statement.on_conflict_do_update(
        index_elements=keys, set_=change(statement.excluded), where=where
    )


def _insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
