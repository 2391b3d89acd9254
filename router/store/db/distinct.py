"""The distinct values of an indexed column, found by hopping along the index."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Select, func, select


def select_distinct(column: Column[Any], *where: ColumnElement[bool]) -> Select[Any]:
    """Return a query for the distinct values of a column, in order.

    It takes one look into the index for each value, however many rows share it; the databases'
    own DISTINCT walks them all.
    """
    hops = select(func.min(column).label("value")).where(*where).cte("hops", recursive=True)
    following = (
        select(func.min(column))
        .where(*where, column > hops.c.value)
        .correlate(hops)
        .scalar_subquery()
    )
    hops = hops.union_all(select(following).where(hops.c.value.is_not(None)))
    return select(hops.c.value).where(hops.c.value.is_not(None))
