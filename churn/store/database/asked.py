"""Long lists that a query asks about, as one parameter: the same statement whatever their length, made and compiled once.

A list of VALUES was compiled anew for each list, and took a hundred times as long as finding what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from churn.store.database.column_types import UtcTime

# As SQLite stores moments.
_MOMENT = "%Y-%m-%d %H:%M:%S.%f"


def asked(dialect: str, columns: Mapping[str, Any]) -> sa.CTE:
    """Return a table of rows that are given when a statement is executed; see `rows_asked`.

    Parameters
    ----------
    dialect : str
        "sqlite" or "postgresql".
    columns : mapping of str to type
        Integer, Boolean, String or UtcTime, by name.

    Returns
    -------
    sqlalchemy.CTE
        Called `asked`.
    """
    given = sa.bindparam("asked", type_=sa.Text)
    if dialect == "postgresql":
        server = sa.func.jsonb_array_elements(sa.cast(given, JSONB)).table_valued("value").c.value
        fields = [_of_server(server.op("->>")(place), type_) for place, type_ in enumerate(columns.values())]
    else:
        file = sa.func.json_each(given).table_valued("value").c.value
        fields = [
            sa.type_coerce(sa.func.json_extract(file, f"$[{place}]"), type_) for place, type_ in enumerate(columns.values())
        ]
    return sa.select(*(field.label(name) for name, field in zip(columns, fields, strict=True))).cte("asked")


def rows_asked(rows: Iterable[Sequence[Any]]) -> dict[str, str]:
    """Return the parameter of a statement with `asked`.

    Parameters
    ----------
    rows : iterable of sequences
        Numbers, booleans, texts or moments with time zone, one for each column.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> rows_asked([(1, "c-1")])
    {'asked': '[[1,"c-1"]]'}
    """
    spelled = [[at.astimezone(UTC).strftime(_MOMENT) if isinstance(at, datetime) else at for at in row] for row in rows]
    return {"asked": orjson.dumps(spelled).decode()}


def _of_server(text: sa.ColumnElement[Any], type_: Any) -> sa.ColumnElement[Any]:
    return sa.cast(text.op("||")("+00") if isinstance(type_, UtcTime) else text, type_)
