"""From the records of a pickled frame to its first rows: each piece is checked before it is used, and is refused if it is odd."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import isnan, prod
from typing import Any

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
    unpickle_records,
)

# Eight bytes a number, little-endian: NumPy's code and struct's.
NUMBERS = {"f8": "d", "i8": "q"}
# The state of a dtype that is no more than its code: version, byte order, no fields, default size, alignment and flags.
PLAIN_NUMBER = (3, "<", None, None, None, -1, -1, 0)
PLAIN_OBJECT = (3, "|", None, None, None, -1, -1, 63)


def read_columns(pickled: bytes, rows: int) -> dict[str, list[Any]]:
    """Read the first rows of a pickled frame. The cells below them are cut off before anything else is done with the values.

    Parameters
    ----------
    pickled : bytes
        Of a frame whose rows are numbered from 0, and whose columns are texts, 64-bit floats or 64-bit integers.
    rows : int
        How many, at least 1.

    Returns
    -------
    dict of str to list
        The columns in their order; each has `rows` cells of type str, float or int. A missing text is NaN.

    Raises
    ------
    UnreadableFrame
        If it is anything else, or has fewer rows.
    """
    state = _state(unpickle_records(pickled), Frame, dict)
    blocks, axes = _arguments(state.get("_mgr"), Manager, 2)
    require(type(blocks) is tuple and type(axes) is list and len(axes) == 2, "no blocks with two axes")
    names, height = _names(axes[0]), _height(axes[1])
    require(rows <= height, f"{height} rows instead of at least {rows}")
    found: dict[int, list[Any]] = {}
    for block in blocks:
        values, placement, dimensions = _arguments(block, Block, 3)
        require(dimensions == 2, "a block that is no table")
        places = _places(placement, len(names))
        for place, cells in zip(places, _cells(values, len(places), height, rows), strict=True):
            require(place not in found, "two columns in one place")
            found[place] = cells
    require(len(found) == len(names), "a column without cells")
    return {name: found[place] for place, name in enumerate(names)}


def require(holds: bool, otherwise: str) -> None:
    """Raise UnreadableFrame unless it holds.

    Parameters
    ----------
    holds : bool
    otherwise : str
        What is wrong if it does not.

    Raises
    ------
    UnreadableFrame
        If it does not hold.
    """
    if not holds:
        raise UnreadableFrame(otherwise)


def _cells(values: Any, columns: int, height: int, rows: int) -> Iterator[list[Any]]:
    """Yield the first rows of each column of a block."""
    if type(values) is Objects:
        texts = _objects(values, (columns, height))
        for start in range(0, columns * height, height):
            wanted = texts[start : start + rows]
            require(all(type(cell) is str or _is_missing(cell) for cell in wanted), "a cell that is no text")
            yield wanted
        return
    content, code = _buffer(values, (columns, height))
    for start in range(0, 8 * columns * height, 8 * height):
        yield list(struct.unpack(f"<{rows}{NUMBERS[code]}", content[start : start + 8 * rows]))


def _is_missing(cell: Any) -> bool:
    return type(cell) is float and isnan(cell)


def _buffer(buffer: Any, shape: tuple[int, ...]) -> tuple[memoryview, str]:
    """Return the bytes of an array of numbers, which must fill its shape, and its code."""
    content, dtype, said, order = _arguments(buffer, Buffer, 4)
    code = _code(dtype, PLAIN_NUMBER)
    require(code in NUMBERS, f"numbers of kind {code!r}")
    require(type(said) is tuple and said == shape and order == "C", "an array of another shape")
    require(type(content) in (bytes, bytearray) and len(content) == 8 * prod(shape), "an array that does not fill its shape")
    return memoryview(content), code


def _objects(array: Any, shape: tuple[int, ...]) -> list[Any]:
    """Return the list of an array of objects, which must fill its shape."""
    state = _state(array, Objects, tuple)
    require(len(state) == 5, "an array without a state")
    version, said, dtype, fortran, cells = state
    require(version == 1 and fortran is False and _code(dtype, PLAIN_OBJECT) == "O8", "an array of another kind")
    require(type(said) is tuple and said == shape, "an array of another shape")
    require(type(cells) is list and len(cells) == prod(shape), "an array that does not fill its shape")
    return list(cells)


def _code(dtype: Any, plain: tuple[Any, ...]) -> str:
    code = _arguments(dtype, Dtype, 3)[0]
    require(type(code) is str and _state(dtype, Dtype, tuple) == plain, "a dtype that is more than its code")
    return str(code)


def _names(labels: Any) -> list[str]:
    array = _index(labels).get("data")
    state = _state(array, Objects, tuple)
    require(len(state) == 5 and type(state[4]) is list, "no names of columns")
    names = _objects(array, (len(state[4]),))
    require(all(type(name) is str for name in names) and len(set(names)) == len(names), "names that are no texts, or not unique")
    return names


def _height(labels: Any) -> int:
    start, stop, step = (_index(labels).get(part) for part in ("start", "stop", "step"))
    require((start, step) == (0, 1) and type(stop) is int and stop > 0, "rows that are not numbered from 0")
    return int(stop)  # type: ignore[arg-type]


def _index(labels: Any) -> dict[str, Any]:
    kind, parts = _arguments(labels, Labels, 2)
    require(kind is NamedClass and type(parts) is dict, "no index")
    return dict(parts)


def _places(placement: Any, columns: int) -> list[int]:
    if type(placement) is Places:
        bounds = _arguments(placement, Places, 3)
        require(all(type(bound) is int and bound >= 0 for bound in bounds) and bounds[2] > 0, "places out of range")
        # A range that is too long is not made into a list; the stop itself may lie beyond the last column.
        stretch = range(*bounds)
        require(not stretch or stretch[-1] < columns, "places out of range")
        return list(stretch)
    content = _arguments(placement, Buffer, 4)[0]
    require(type(content) in (bytes, bytearray), "columns without places")
    numbers, code = _buffer(placement, (len(content) // 8,))
    require(code == "i8", "places that are no integers")
    places = [place for (place,) in struct.iter_unpack("<q", numbers)]
    require(all(0 <= place < columns for place in places), "places out of range")
    return places


def _arguments(record: Any, kind: type[Record], count: int) -> tuple[Any, ...]:
    require(type(record) is kind and len(record.arguments) == count, f"no {kind.__name__}")
    return tuple(record.arguments)


def _state(record: Any, kind: type[Record], form: type) -> Any:
    require(type(record) is kind and type(record.state) is form, f"no {kind.__name__} with a state")
    return record.state
