"""Arrow's buffers say the same as Arrow's own conversions."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from churn.customers.arrow_buffers import (
    floats,
    from_codes,
    from_flags,
    from_floats,
    from_texts,
    null_rows,
    places,
    repeated_text,
)

KINDS = [pa.int8(), pa.uint8(), pa.int32(), pa.uint64(), pa.int64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_()]
VALUES = [1, None, 0, 1, None, 1, 0, 0, None, 1, 1, 0, None]


def array(kind: Any, values: list[Any]) -> Any:
    as_kind = {pa.float16(): np.float16, pa.bool_(): bool}.get(kind, int)
    return pa.array([None if value is None else as_kind(value) for value in values], kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", [0, 1, 9])
def test_numbers_of_every_type_wherever_they_begin(kind: Any, start: int) -> None:
    whole = array(kind, VALUES)
    column = pa.chunked_array([whole.slice(start), whole.slice(0, 2), array(kind, [1, 0])])
    expected = [np.nan if value is None else float(value) for value in column.to_pylist()]
    np.testing.assert_array_equal(floats(column), expected)
    assert null_rows(whole.slice(start)).tolist() == [row for row, value in enumerate(VALUES[start:]) if value is None]


def test_no_rows_and_nothing_but_nulls() -> None:
    assert floats(pa.chunked_array([], pa.float64())).tolist() == []
    assert floats(pa.chunked_array([pa.array([], pa.int32())])).tolist() == []
    assert np.isnan(floats(pa.chunked_array([pa.nulls(3, pa.float64())]))).all()
    assert null_rows(pa.nulls(3)).tolist() == [0, 1, 2]


def test_whole_columns_are_not_copied() -> None:
    column = pa.chunked_array([pa.array([1.5, 2.5])])
    read = floats(column)
    assert not read.flags.writeable
    assert np.shares_memory(read, np.frombuffer(column.chunk(0).buffers()[1]))


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint8(), pa.uint32(), pa.int64()])
def test_places_of_a_dictionary(kind: Any) -> None:
    coded = pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1], kind), pa.array(["a", "b"]))
    assert places(coded).tolist() == [1, -1, 0, 1]
    assert places(coded.slice(1)).tolist() == [-1, 0, 1]
    assert places(coded.slice(2)).tolist() == [0, 1]


def test_the_other_way_round() -> None:
    texts = ["a", None, "", "é٣"]
    for made, expected in (
        (from_floats(np.arange(6.0)[::2]), [0.0, 2.0, 4.0]),
        (from_flags(np.array([True, False] * 5)), [True, False] * 5),
        (from_texts(texts), texts),
        (from_texts([]), []),
        (from_texts(["x"]), ["x"]),
        (from_texts(["", "x", "yz"]), ["", "x", "yz"]),
        (from_texts([None, "", None, "é", "x"]), [None, "", None, "é", "x"]),
        (from_texts([None] * 9), [None] * 9),
        (from_codes(np.array([2, 0, 1, 1, 2], np.int8)[1:], ["none", "é", ""]), ["none", "é", "é", ""]),
        (from_codes(np.array([], np.int8), ["none"]), []),
        (repeated_text("é1", 3), ["é1"] * 3),
        (repeated_text("", 0), []),
    ):
        made.validate(full=True)
        assert made.to_pylist() == expected


def test_scoring_imports_no_pandas() -> None:
    """It takes half a second, which is most of the time of a small file."""
    script = (
        "import sys, numpy as np, pyarrow as pa; from churn.customers.cells import FeatureCells\n"
        "from churn.contract import load_contract\n"
        "from churn.customers import arrow_buffers as made; from churn.customers.from_arrow import read_cells\n"
        "state, calls = (FeatureCells(load_contract()[name]) for name in ('state', 'total_day_calls'))\n"
        "column = pa.chunked_array([made.from_texts(['KS', None, 'OH'])])\n"
        "assert read_cells(column, state).doubtful is None\n"
        "assert read_cells(column.dictionary_encode(), state).doubtful is None\n"
        "assert read_cells(pa.chunked_array([made.from_texts(['1', None, ' 2', 'NA'])]), calls).doubtful is None\n"
        "assert read_cells(pa.chunked_array([made.from_floats(np.arange(3.0))]), calls).doubtful is None\n"
        "made.from_codes(np.zeros(3, np.int8), ['none'])\n"
        "print('pandas' in sys.modules)\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
