"""Reading many predictions: what is summed up goes by in parts, however long the log is; what is ranked is a few columns."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import sqlalchemy as sa

from churn.contract import Contract
from churn.errors import StoreError
from churn.tables import outcomes, predictions

if TYPE_CHECKING:
    import pandas as pd

PART_ROWS = 20_000
# What one processor parses at a time.
BLOCK_BYTES = 2**20
# Rows are told apart by a multiple of their number modulo a prime, so that no pattern of who answered which is a pattern here.
FACTOR, PRIME = 7_919, 10_007
ANSWERS = ["seq", "requested_at", "churn_probability", "threshold"]


class Span(NamedTuple):
    """Predictions of one model version: how many, and the numbers of the first and the last (0 and 0 of none)."""

    rows: int
    first_seq: int
    last_seq: int


def find_span(connection: sa.Connection, model_version: str, after_seq: int, newest: int) -> Span:
    """Count the predictions numbered above `after_seq`, up to the newest so many; the index alone tells."""
    rows = (
        sa.select(predictions.c.seq)
        .where(predictions.c.model_version == model_version, predictions.c.seq > after_seq)
        .order_by(predictions.c.seq.desc())
        .limit(newest)
        .subquery()
    )
    count, first, last = connection.execute(sa.select(sa.func.count(), sa.func.min(rows.c.seq), sa.func.max(rows.c.seq))).one()
    return Span(int(count), int(first or 0), int(last or 0))


def iter_parts(
    connection: sa.Connection, contract: Contract, model_version: str, span: Span, share: float
) -> Iterator[pd.DataFrame]:
    """Give a span's predictions, or an even share of them, in parts of at most PART_ROWS, in the order of `seq`."""
    p = predictions.c
    query = (
        sa.select(*_answers(), sa.cast(p.features, sa.Text))
        .where(p.model_version == model_version, p.seq >= span.first_seq, p.seq <= span.last_seq)
        .order_by(p.seq)
    )
    if share < 1:
        query = query.where((p.seq * FACTOR) % PRIME < round(PRIME * share))
    parts = (_part(rows, contract) for rows in _fetched(connection, query))
    # While one is summed up, the next is read.
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(next, parts, None)
        while (part := ahead.result()) is not None:
            ahead = pool.submit(next, parts, None)
            yield part


def _part(rows: Sequence[tuple[Any, ...]], contract: Contract) -> pd.DataFrame:
    import pandas as pd

    *head, texts = zip(*rows, strict=True)
    return pd.concat([_head(head, ANSWERS), _features(texts, contract)], axis=1)


def _fetched(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Fetch rows as the driver gives them: SQLAlchemy's own take twice as long. Its values must need no conversion."""
    compiled = query.compile(connection.engine)
    values = compiled.params if compiled.positiontup is None else [compiled.params[name] for name in compiled.positiontup]
    # PostgreSQL's driver would hold all rows, but for a cursor with a name.
    names = ["parts"] if connection.dialect.name == "postgresql" else []
    with closing(connection.connection.cursor(*names)) as cursor:
        try:
            cursor.execute(str(compiled), values)
            while rows := cursor.fetchmany(PART_ROWS):
                yield rows
        except connection.dialect.loaded_dbapi.Error as error:
            raise StoreError(str(error).splitlines()[0]) from error


def read_labelled(
    connection: sa.Connection,
    model_version: str,
    after_outcome_seq: int,
    mature: tuple[datetime, datetime] | None,
    newest: int,
) -> pd.DataFrame:
    """Read the newest labelled predictions without their features; see `Store.read_outcomes`."""
    import pandas as pd

    p, unjudged = predictions.c, outcomes.c.seq > after_outcome_seq
    query = (
        sa.select(*_answers(), sa.type_coerce(outcomes.c.churned, sa.Integer), outcomes.c.seq)
        .join_from(outcomes, predictions, outcomes.c.prediction_id == p.prediction_id)
        .where(p.model_version == model_version)
        .order_by(p.seq.desc())
        .limit(newest)
    )
    if mature is not None:
        before, until = mature
        query = query.where(p.requested_at <= until)
        unjudged = sa.or_(unjudged, p.requested_at > before)
    names = [*ANSWERS, "churned", "outcome_seq"]
    found = connection.execution_options(stream_results=True).execute(query.where(unjudged)).partitions(PART_ROWS)
    parts = [_head(list(zip(*rows, strict=True)), names) for rows in found]
    frame = pd.concat(parts, ignore_index=True) if parts else _head([[] for _ in names], names)
    return frame[::-1].reset_index(drop=True)


def no_answers(contract: Contract) -> pd.DataFrame:
    """Give a part without rows."""
    import pandas as pd

    from churn.frame import frame_from_records

    return pd.concat([_head([[] for _ in ANSWERS], ANSWERS), frame_from_records([], contract)], axis=1)


def _answers() -> list[Any]:
    # The moment as the driver gives it: told for a million rows one by one, it would take longer than everything else.
    p = predictions.c
    return [p.seq, sa.type_coerce(p.requested_at, sa.types.NULLTYPE), p.churn_probability, p.threshold]


def _head(columns: Sequence[Sequence[Any]], names: list[str]) -> pd.DataFrame:
    import pandas as pd

    head: dict[str, Any] = {}
    for name, values in zip(names, columns, strict=True):
        if name == "requested_at":
            head[name] = pd.to_datetime(pd.Series(list(values), dtype=object), utc=True, format="ISO8601")
        else:
            head[name] = pd.Series(list(values), dtype="int64" if name == "seq" else "float64")
    return pd.DataFrame(head)


def _features(texts: Sequence[str], contract: Contract) -> pd.DataFrame:
    """Read features as the log spells them; the same as `frame_from_records`, several times as fast."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import json

    from churn.frame import frame_from_records

    kinds = {"flag": pa.bool_(), "category": pa.string()}
    schema = pa.schema([(column.name, kinds.get(column.kind, pa.float64())) for column in contract.features])
    lines = "\n".join(texts).encode()
    try:
        table = json.read_json(
            io.BytesIO(lines),
            read_options=json.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:  # a flag spelled as a number, by another writer
        table = None
    if table is None or table.num_rows != len(texts):
        return frame_from_records([orjson.loads(text) for text in texts], contract)
    columns: dict[str, Any] = {}
    for column in contract.features:
        values = table[column.name]
        if column.kind == "category":
            columns[column.name] = pd.Series(values.to_numpy(zero_copy_only=False), dtype=object)
        else:
            values = values.cast(pa.float64()) if column.kind != "flag" else values.cast(pa.int8()).cast(pa.float64())
            columns[column.name] = values.to_numpy(zero_copy_only=False)
    return pd.DataFrame(columns, columns=contract.feature_names)
