"""Profiles of columns that a test writes down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from churn.contract_draft.column_profile import ColumnProfile, profile_columns
from churn.data.files import TabularFile


def profiles_of(columns: Mapping[str, Sequence[object]]) -> dict[str, ColumnProfile]:
    arrays = {name: pa.chunked_array([pa.array(values)]) for name, values in columns.items()}
    return profile_columns(TabularFile(Path("file.csv"), arrays, len(next(iter(columns.values())))))


def profile(values: Sequence[object], name: str = "Column") -> ColumnProfile:
    return profiles_of({name: values})[name]
