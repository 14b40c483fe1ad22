"""Rows of a pickled frame: those that pandas would read, or an error."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.data_sources.frames import columns as module
from pipelines.data_sources.frames.__main__ import to_csv
from pipelines.data_sources.frames.columns import read_columns
from pipelines.data_sources.frames.records import (
    Block,
    Buffer,
    Dtype,
    Frame,
    Labels,
    Manager,
    NamedClass,
    Objects,
    Places,
    Record,
    UnreadableFrame,
)
from tests.unit.pipelines.data_sources.frames.pickled import ROWS, frame, pickled


def assert_read(of: pd.DataFrame, rows: int) -> None:
    found = read_columns(pickled(of), rows)
    assert list(found) == list(of)
    for name, cells in found.items():
        for cell, expected in zip(cells, of[name].head(rows), strict=True):
            assert type(cell) in (str, float, int)
            assert cell == expected or (math.isnan(cell) and math.isnan(expected))


@pytest.mark.parametrize("rows", [1, 3, ROWS])
def test_the_first_rows_are_those_that_pandas_reads(rows: int) -> None:
    assert_read(frame(), rows)


def test_a_frame_whose_columns_of_one_kind_lie_together_is_read() -> None:
    assert_read(pd.DataFrame({"a": ["x", "y"], "b": ["u", "v"], "c": [1, 2], "d": [0.5, 1.5], "e": [2.5, 3.5]}), 2)
    assert_read(pd.DataFrame({"only": [1.5, 2.5]}), 1)


def test_numbers_of_numpy_1_are_read_too() -> None:
    """The published frames were pickled by NumPy 1, whose modules had other names; a protocol 4 without frames has no lengths."""
    old = pickle.dumps(frame(), protocol=5)
    for name in (b"numpy._core.numeric", b"numpy._core.multiarray"):
        shorter = name.replace(b"._core", b".core")
        assert name in old
        old = old.replace(bytes([len(name)]) + name, bytes([len(shorter)]) + shorter)
    assert old[2:3] == pickle.FRAME
    old = old[:3] + (int.from_bytes(old[3:11], "little") - 2).to_bytes(8, "little") + old[11:]
    assert read_columns(old, 2)["calls"] == [110, 123]


def test_a_missing_text_is_nan_and_a_blank_in_the_csv() -> None:
    found = read_columns(pickled(frame(state=["KS", float("nan"), "NJ", "NJ"])), 3)
    assert found["state"][::2] == ["KS", "NJ"]
    assert math.isnan(found["state"][1])
    assert to_csv({"state": found["state"]}, {"state": "State"}, {}).splitlines() == ["State", "KS", '""', "NJ"]
    with pytest.raises(UnreadableFrame, match="a cell that is no text"):
        read_columns(pickled(frame(state=["KS", 1.5, "NJ", "NJ"])), 3)


def test_rows_below_those_that_are_asked_for_are_not_looked_at() -> None:
    """Cells that could not be read are no trouble there."""
    assert read_columns(pickled(frame(state=["KS", "OH", None, 7])), 2)["state"] == ["KS", "OH"]
    records = _records(texts=["KS", "OH", 3, None, *frame()["plan"]])
    assert _read(records, 2)["state"] == ["KS", "OH"]
    with pytest.raises(UnreadableFrame, match="a cell that is no text"):
        _read(records, 3)


@pytest.mark.parametrize(
    "of",
    [
        frame(plan=pd.Categorical(["no", "yes"] * 2)),
        frame(calls=[True, False] * 2),
        frame(calls=np.array([1, 2, 3, 4], dtype="int32")),
        frame(minutes=pd.array([1, 2, 3, None], dtype="Int64")),
        frame(minutes=pd.to_datetime(["2026-01-01"] * 4)),
        frame(state=["KS", "OH", None, "NJ"]),
        frame(state=["KS", b"OH", "NJ", "NJ"]),
        frame(state=["KS", 7, "NJ", "NJ"]),
        frame().set_index("state"),
        frame().iloc[1:],
        frame().iloc[::2],
        frame().rename(columns={"calls": 7}),
        frame().rename(columns={"calls": "state"}),
        frame()["calls"],
        frame().to_numpy(),
        [1, 2],
        None,
    ],
    ids=lambda of: type(of).__name__,
)
def test_another_frame_or_none_at_all_is_refused(of: Any) -> None:
    with pytest.raises(UnreadableFrame):
        read_columns(pickled(of), len(of) if isinstance(of, pd.DataFrame) else 1)


def test_fewer_rows_than_asked_for_are_refused() -> None:
    with pytest.raises(UnreadableFrame, match="4 rows instead of at least 5"):
        read_columns(pickled(frame()), ROWS + 1)


# What a pickle may claim, piece by piece: records that no pandas would write


def _made(kind: type[Record], *arguments: Any, state: Any = None) -> Any:
    record = kind(*arguments)
    record.state = state
    return record


def _dtype(code: str = "f8", state: Any = (3, "<", None, None, None, -1, -1, 0)) -> Any:
    return _made(Dtype, code, False, True, state=state)


def _array(cells: Any, shape: Any, version: Any = 1, dtype: Any = None, fortran: Any = False) -> Any:
    dtype = dtype or _dtype("O8", (3, "|", None, None, None, -1, -1, 63))
    return _made(Objects, NamedClass, (0,), b"b", state=(version, shape, dtype, fortran, cells))


def _index(**parts: Any) -> Any:
    return _made(Labels, NamedClass, parts)


RANGE = _index(start=0, stop=4, step=1, name=None)
NUMBERS = np.arange(8.0).tobytes()
TEXTS = [*frame()["state"], *frame()["plan"]]


def _records(
    *,
    numbers: Any = None,
    texts: Any = None,
    text_block: Any = None,
    number_places: Any = None,
    names: Any = None,
    rows: Any = RANGE,
    state: Any = None,
    more: tuple[Any, ...] = (),
) -> Any:
    """Of four columns: state and plan, minutes and charge."""
    numbers = _made(Buffer, NUMBERS, _dtype(), (2, 4), "C") if numbers is None else numbers
    texts = text_block or _array(TEXTS if texts is None else texts, (2, 4))
    names = _array(["state", "plan", "minutes", "charge"], (4,)) if names is None else names
    blocks = (
        _made(Block, texts, _made(Places, 0, 2, 1), 2),
        _made(Block, numbers, number_places or _made(Places, 2, 4, 1), 2),
        *more,
    )
    manager = _made(Manager, blocks, [_index(data=names, name=None), rows])
    return _made(Frame, state={"_mgr": manager} if state is None else state)


def _read(records: Any, rows: int = 4) -> dict[str, list[Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "unpickle_records", lambda _: records)
        return read_columns(b"", rows)


def test_the_records_that_the_cases_below_begin_with_are_read() -> None:
    found = _read(_records())
    assert list(found) == ["state", "plan", "minutes", "charge"]
    assert found["plan"] == ["no", "yes", "no", "yes"]
    assert found["charge"] == [4.0, 5.0, 6.0, 7.0]


OUT_OF_RANGE = np.array([2, 4]).tobytes()
INT = _dtype("i8")


@pytest.mark.parametrize(
    "records",
    [
        # An array that claims more than it has is how memory is read that belongs to somebody else.
        _records(numbers=_made(Buffer, NUMBERS[:-8], _dtype(), (2, 4), "C")),
        _records(numbers=_made(Buffer, NUMBERS + NUMBERS, _dtype(), (2, 4), "C")),
        _records(numbers=_made(Buffer, NUMBERS, _dtype(), (2, 2**40), "C")),
        _records(numbers=_made(Buffer, NUMBERS, _dtype(), (4, 2), "C")),
        _records(numbers=_made(Buffer, NUMBERS, _dtype(), [2, 4], "C")),
        _records(numbers=_made(Buffer, NUMBERS, _dtype(), (2, 4), "F")),
        _records(numbers=_made(Buffer, "text", _dtype(), (2, 4), "C")),
        _records(numbers=_made(Buffer, NUMBERS, _dtype(), (2, 4))),
        _records(numbers=_made(Buffer, NUMBERS, "f8", (2, 4), "C")),
        _records(numbers=[1.0] * 8),
        # A dtype whose state makes something else of it: bytes that are pointers, fields, another size or byte order.
        _records(numbers=_made(Buffer, NUMBERS, _dtype("O8"), (2, 4), "C")),
        _records(numbers=_made(Buffer, NUMBERS, _dtype("f4"), (2, 4), "C")),
        _records(numbers=_made(Buffer, NUMBERS, _dtype(state=(3, "|", None, None, None, -1, -1, 63)), (2, 4), "C")),
        _records(numbers=_made(Buffer, NUMBERS, _dtype(state=(3, ">", None, None, None, -1, -1, 0)), (2, 4), "C")),
        _records(numbers=_made(Buffer, NUMBERS, _dtype(state=(3, "<", None, ("f0",), {}, 8, 1, 0)), (2, 4), "C")),
        _records(numbers=_made(Buffer, NUMBERS, _dtype(state=None), (2, 4), "C")),
        _records(numbers=_made(Buffer, NUMBERS, _dtype(["f8"]), (2, 4), "C")),
        # Objects that are too few, of another kind, or not a list.
        _records(texts=TEXTS[:-1]),
        _records(texts=tuple(TEXTS)),
        _records(texts=b"\0" * 64),
        _records(text_block=_array(TEXTS, (4, 2))),
        _records(text_block=_array(TEXTS, (8,))),
        _records(text_block=_array(TEXTS, (2, 4), version=2)),
        _records(text_block=_array(TEXTS, (2, 4), fortran=True)),
        _records(text_block=_array(TEXTS, (2, 4), dtype=_dtype())),
        _records(text_block=_made(Objects, NamedClass, (0,), b"b", state=(1, (2, 4)))),
        _records(text_block=_made(Objects, NamedClass, (0,), b"b")),
        # Places that are taken, missing, or beyond the frame.
        _records(number_places=_made(Places, 1, 3, 1)),
        _records(number_places=_made(Places, 2, 3, 1)),
        _records(number_places=_made(Places, 2, 5, 1)),
        _records(number_places=_made(Places, 2, 4, 0)),
        _records(number_places=_made(Places, -2, 0, 1)),
        _records(number_places=_made(Places, 2, 4)),
        _records(number_places=_made(Places, 2, 10**12, 1)),
        _records(number_places=_made(Buffer, OUT_OF_RANGE, INT, (2,), "C")),
        _records(number_places=_made(Buffer, np.array([-1, 3]).tobytes(), INT, (2,), "C")),
        _records(number_places=_made(Buffer, np.array([2, 3]).tobytes(), _dtype(), (2,), "C")),
        _records(number_places=_made(Buffer, np.array([2, 3]).tobytes()[:-1], INT, (2,), "C")),
        _records(number_places=_made(Buffer, None, INT, (2,), "C")),
        _records(number_places=2),
        _records(more=(_made(Block, _array(TEXTS[:4], (1, 4)), _made(Places, 0, 1, 1), 2),)),
        _records(more=(_made(Block, _array(TEXTS[:4], (1, 4)), _made(Places, 0, 0, 1), 1),)),
        _records(more=("no block",)),
        # Names and rows.
        _records(names=_array(["state", "plan", "minutes", "state"], (4,))),
        _records(names=_array(["state", "plan", "minutes", 4], (4,))),
        _records(names=_array(["state", "plan", "minutes"], (3,))),
        _records(names=_array([*"abcde"], (5,))),
        _records(names=_array("abcd", (4,))),
        _records(names=["state", "plan", "minutes", "charge"]),
        _records(rows=_index(start=0, stop=2**40, step=1)),
        _records(rows=_index(start=0, stop=-4, step=1)),
        _records(rows=_index(start=0, stop=0, step=1)),
        _records(rows=_index(start=1, stop=5, step=1)),
        _records(rows=_index(start=0, stop=8, step=2)),
        _records(rows=_index(start=0, stop=4.0, step=1)),
        _records(rows=_index(start=0, stop=True, step=1)),
        _records(rows=_made(Labels, NamedClass, [0, 4, 1])),
        _records(rows=_made(Labels, "class", {"start": 0, "stop": 4, "step": 1})),
        _records(state=[]),
        _records(state={}),
        _records(state={"_mgr": _made(Manager, (), [RANGE, RANGE])}),
        _records(state={"_mgr": _made(Manager, [], [_index(data=_array(["a"], (1,))), RANGE])}),
        _records(state={"_mgr": _made(Manager, (), (RANGE, RANGE, RANGE))}),
        Frame,
    ],
)
def test_odd_records_are_refused(records: Any) -> None:
    with pytest.raises(UnreadableFrame):
        _read(records, 1)
