"""Columns of stored predictions as a data frame: features from their JSON texts, and numbers with their types."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from churn.contract import Contract
from churn.store.database.column_types import moments

if TYPE_CHECKING:
    import pandas as pd

# What one processor parses at a time.
BLOCK_BYTES = 2**20

DTYPES = {"seq": "int64", "customer_id": "object"}


def parse_features(texts: Sequence[str], contract: Contract) -> pd.DataFrame:
    """Parse customers as the log encodes them. The result is that of `frame_from_records`, several times as fast.

    Parameters
    ----------
    texts : sequence of str, length n
        Each a JSON object: feature name to number, boolean, text or null.
    contract : Contract
        Names the features.

    Returns
    -------
    pandas.DataFrame, shape (n, n_features)
        As in `churn.customers.frame`.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import json

    from churn.customers.frame import frame_from_records

    types = {"flag": pa.bool_(), "category": pa.string()}
    schema = pa.schema([(column.name, types.get(column.kind, pa.float64())) for column in contract.features])
    lines = "\n".join(texts).encode()
    try:
        table = json.read_json(
            io.BytesIO(lines),
            read_options=json.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:  # a flag written as a number, by another writer
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


def frame_of_columns(columns: Sequence[Sequence[Any]], names: list[str]) -> pd.DataFrame:
    """Return columns as a data frame: `requested_at` in UTC, `seq` as integers, `customer_id` as texts, the others as floats.

    Parameters
    ----------
    columns : sequence of sequence, length n_columns
        Values as the driver returns them, all of the same length n.
    names : list of str, length n_columns

    Returns
    -------
    pandas.DataFrame, shape (n, n_columns)
    """
    import pandas as pd

    frame: dict[str, Any] = {}
    for name, values in zip(names, columns, strict=True):
        if name == "requested_at":
            frame[name] = moments(values)
        else:
            frame[name] = pd.Series(list(values), dtype=DTYPES.get(name, "float64"))
    return pd.DataFrame(frame)
