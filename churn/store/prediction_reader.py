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
from churn.store.outcomes import chunks
from churn.store.tables import outcomes, predictions

if TYPE_CHECKING:
    import pandas as pd

PART_ROWS = 20_000
# What one processor parses at a time.
BLOCK_BYTES = 2**20
# Rows are told apart by a multiple of their number modulo a prime, so that no pattern of who answered which is a pattern here.
FACTOR, PRIME = 7_919, 10_007
LOG_COLUMNS = [
    "seq",
    "prediction_id",
    "customer_id",
    "requested_at",
    "model_version",
    "churn_probability",
    "churned",
    "observed_at",
    "outcome_seq",
]
ANSWERS = ["seq", "requested_at", "churn_probability", "threshold"]


class Span(NamedTuple):
    """Predictions of one model version: how many, and the numbers of the first and the last (0 and 0 of none)."""

    rows: int
    first_seq: int
    last_seq: int


def read_log(
    connection: sa.Connection, contract: Contract, *, model_version: str | None, after_seq: int, newest: int | None
) -> pd.DataFrame:
    """Read predictions, labelled or not; see `Store.read_predictions`."""
    p, o = predictions.c, outcomes.c
    query = (
        sa.select(*_logged(), o.churned, o.observed_at, o.seq)
        .join(outcomes, o.prediction_id == p.prediction_id, isouter=True)
        .where(p.seq > after_seq)
        .order_by(p.seq.desc())
        .limit(newest)
    )
    if model_version is not None:
        query = query.where(p.model_version == model_version)
    return _log(connection.execute(query).all()[::-1], contract)


def read_labelled_log(
    connection: sa.Connection,
    contract: Contract,
    *,
    model_version: str | None,
    after_seq: int,
    after_outcome_seq: int,
    newest: int | None,
) -> pd.DataFrame:
    """Read labelled predictions; see `Store.read_predictions`.

    In two steps: which ones, outcomes alone tell, and then each is found by its number. In one, a database that expects many may
    rather read all predictions there are.
    """
    o = outcomes.c
    which = sa.select(o.prediction_seq, o.churned, o.observed_at, o.seq).where(o.seq > after_outcome_seq)
    if after_seq:
        which = which.where(o.prediction_seq > after_seq)
    if model_version is not None:
        which = which.where(o.model_version == model_version)
    if newest is not None:
        which = which.order_by(o.requested_at.desc(), o.prediction_seq.desc()).limit(newest)
    told = {row[0]: tuple(row[1:]) for row in connection.execute(which)}
    rows: list[Sequence[Any]] = []
    for chunk in chunks(sorted(told)):
        found = connection.execute(sa.select(*_logged()).where(predictions.c.seq.in_(chunk)).order_by(predictions.c.seq))
        rows += [(*row, *told[row.seq]) for row in found]
    return _log(rows, contract)


def _logged() -> list[Any]:
    p = predictions.c
    text = sa.cast(p.features, sa.Text)
    return [p.seq, p.prediction_id, p.customer_id, p.requested_at, p.model_version, p.churn_probability, text]


def _log(rows: Sequence[Sequence[Any]], contract: Contract) -> pd.DataFrame:
    import pandas as pd

    head = pd.DataFrame([(*row[:6], *row[7:]) for row in rows], columns=LOG_COLUMNS)
    head = head.astype({"churned": "float64", "outcome_seq": "float64"})
    pieces = [_features([row[6] for row in rows[n : n + PART_ROWS]], contract) for n in range(0, max(len(rows), 1), PART_ROWS)]
    return pd.concat([head, pd.concat(pieces, ignore_index=True)], axis=1)


def find_span(connection: sa.Connection, model_version: str, after_seq: int, until_seq: int, newest: int) -> Span:
    """Count the predictions numbered above `after_seq` up to `until_seq`, the newest so many; the index alone tells."""
    rows = (
        sa.select(predictions.c.seq)
        .where(predictions.c.model_version == model_version, predictions.c.seq > after_seq, predictions.c.seq <= until_seq)
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
    between: tuple[int, int],
    mature: tuple[datetime, datetime] | None,
    newest: int,
) -> pd.DataFrame:
    """Read the newest labelled predictions without their features; see `Store.read_outcomes`.

    `between` are the outcomes' numbers: above the first, up to the second. Predictions are not asked: outcomes hold what is
    judged of them.
    """
    import pandas as pd

    after, until_seq = between
    o = outcomes.c
    # The moment as the driver gives it: told for a million rows one by one, it would take longer than everything else.
    moment = sa.type_coerce(o.requested_at, sa.types.NULLTYPE)
    columns = [o.prediction_seq, moment, o.churn_probability, o.threshold, sa.type_coerce(o.churned, sa.Integer), o.seq]
    watermark = sa.select(*columns).where(o.model_version == model_version, o.seq <= until_seq)
    if mature is None:
        query = watermark.where(o.seq > after)
    else:
        # Two ranges that an index each finds; as one condition with "or", all outcomes would have to be looked at.
        before, until = mature
        told = watermark.where(o.seq > after, o.requested_at <= until)
        grown = watermark.where(o.seq <= after, o.requested_at > before, o.requested_at <= until)
        both = sa.union_all(told, grown).subquery()
        query = sa.select(*both.c)
    number = query.selected_columns[0]
    query = query.order_by(number.desc()).limit(newest)
    names = [*ANSWERS, "churned", "outcome_seq"]
    found = connection.execution_options(stream_results=True).execute(query).partitions(PART_ROWS)
    parts = [_head(list(zip(*rows, strict=True)), names) for rows in found]
    frame = pd.concat(parts, ignore_index=True) if parts else _head([[] for _ in names], names)
    return frame[::-1].reset_index(drop=True)


def no_answers(contract: Contract) -> pd.DataFrame:
    """Give a part without rows."""
    import pandas as pd

    from churn.customers.frame import frame_from_records

    return pd.concat([_head([[] for _ in ANSWERS], ANSWERS), frame_from_records([], contract)], axis=1)


def _answers() -> list[Any]:
    # As in `read_labelled`, the moment is what the driver gives.
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

    from churn.customers.frame import frame_from_records

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
