"""The columns of answers: always all of them, in one order, and only an id may be missing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from churn.batch.answers import _repeated, _without, answer_schema

ALWAYS = ["churn_probability", "churn", "action", "threshold", "model_version"]


@pytest.mark.parametrize("segment", [True, False])
@pytest.mark.parametrize("id_type", [None, pa.string(), pa.int64()])
def test_only_an_id_may_be_missing(id_type: pa.DataType | None, segment: bool) -> None:
    schema = answer_schema(id_type, segment=segment)
    assert schema.names == ["customer_id"] * (id_type is not None) + ALWAYS + ["segment"] * segment
    assert [field.name for field in schema if field.nullable] == ["customer_id"] * (id_type is not None)
    assert id_type is None or schema.field("customer_id").type == id_type
    assert [str(schema.field(name).type) for name in ALWAYS] == ["double", "bool", "string", "double", "string"]


def test_rows_that_are_refused_are_left_out() -> None:
    assert _without([], 3) is None
    kept = _without([2, 0], 4)
    assert kept is not None
    assert (kept.dtype, kept.tolist()) == (np.bool_, [False, True, False, True])


@pytest.mark.parametrize("rows", [0, 1, 70_000])
def test_what_is_the_same_in_every_row_is_as_long_as_the_piece(rows: int) -> None:
    threshold, version = _repeated(0.25, "7", rows)
    assert threshold.to_pylist() == [0.25] * rows
    assert version.to_pylist() == ["7"] * rows
