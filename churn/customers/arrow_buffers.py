"""See Arrow arrays as NumPy arrays, and the other way round, by their buffers: nothing is copied that need not be.

Arrow's own conversions (`to_numpy`, `pa.array`) ask first whether pandas is there, and so import it: half a second, and 40 MB,
for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def null_rows(array: Any) -> NDArray[np.intp]:
    """Return the rows of a `pyarrow.Array` that are null."""
    if not array.null_count:
        return np.empty(0, np.intp)
    validity = array.buffers()[0]
    if validity is None:
        # (A column of nothing but nulls says so by its type.)
        return np.arange(len(array))
    return np.flatnonzero(_bits(validity, array.offset, len(array)) == 0)


def numbers(array: Any) -> NDArray[Any]:
    """Return a `pyarrow.Array` of integers, floats or booleans as an array: what it holds where null may be anything.

    Booleans become integers of 8 bits. All else is a view that cannot be written to.
    """
    data = array.buffers()[1]
    if data is None:
        return np.zeros(len(array), _dtype(array.type))
    if pa.types.is_boolean(array.type):
        return _bits(data, array.offset, len(array))
    dtype = _dtype(array.type)
    found = np.frombuffer(data, dtype, len(array), array.offset * dtype.itemsize)
    found.flags.writeable = False
    return found


def floats(column: Any) -> Floats:
    """Return a `pyarrow.ChunkedArray` of integers, floats or booleans as float64, NaN where null."""
    chunks = column.chunks
    if len(chunks) == 1 and not chunks[0].null_count and pa.types.is_float64(chunks[0].type):
        return numbers(chunks[0])
    read, start = np.empty(len(column)), 0
    for chunk in chunks:
        here = read[start : start + len(chunk)]
        here[:] = numbers(chunk)
        here[null_rows(chunk)] = np.nan
        start += len(chunk)
    return read


def places(array: Any) -> NDArray[Any]:
    """Return the places of a `pyarrow.DictionaryArray`'s values in its dictionary, -1 where null."""
    found = numbers(array.indices)
    nulls = null_rows(array.indices)
    if nulls.size or found.dtype.kind == "u":
        found = found.astype(np.int64 if found.dtype.kind == "u" else found.dtype)
        found[nulls] = -1
    return found


def from_floats(values: Floats) -> Any:
    """Return float64 numbers as a `pyarrow.Array` that shares their memory."""
    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(values)])


def from_flags(values: NDArray[np.bool_]) -> Any:
    """Return booleans as a `pyarrow.Array`."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(np.packbits(values, bitorder="little"))])


def from_texts(values: Sequence[str | None]) -> Any:
    """Return texts as a `pyarrow.Array`."""
    rows, validity = len(values), None
    texts: Sequence[Any] = values
    if None in values:
        there = np.fromiter((value is not None for value in values), np.bool_, rows)
        validity = pa.py_buffer(np.packbits(there, bitorder="little"))
        texts = [value or "" for value in values]
    joined = "".join(texts)
    # Nearly always all are ASCII, and then as many bytes as characters: none is encoded by itself.
    if joined.isascii():
        lengths, data = map(len, texts), joined.encode()
    else:
        encoded = [text.encode() for text in texts]
        lengths, data = map(len, encoded), b"".join(encoded)
    ends = np.zeros(rows + 1, np.int32)
    np.cumsum(np.fromiter(lengths, np.int32, rows), out=ends[1:])
    return pa.Array.from_buffers(pa.string(), rows, [validity, pa.py_buffer(ends), pa.py_buffer(data)])


def from_codes(codes: NDArray[np.int8], texts: Sequence[str]) -> Any:
    """Return a column of few different texts, each row's by its position.

    Parameters
    ----------
    codes : numpy.ndarray of int8, shape (n,)
        In [0, len(texts)).
    texts : sequence of str

    Returns
    -------
    pyarrow.Array of string, length n
    """
    places = pa.Array.from_buffers(pa.int8(), len(codes), [None, pa.py_buffer(np.ascontiguousarray(codes))])
    return pa.DictionaryArray.from_arrays(places, from_texts(texts)).cast(pa.string())


def repeated_text(value: str, rows: int) -> Any:
    """Return a column in which every row holds the same text.

    Parameters
    ----------
    value : str
    rows : int

    Returns
    -------
    pyarrow.Array of string, length `rows`
    """
    data = value.encode()
    ends = np.arange(rows + 1, dtype=np.int32) * np.int32(len(data))
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(ends), pa.py_buffer(data * rows)])


def _bits(buffer: Any, offset: int, count: int) -> NDArray[np.uint8]:
    first = offset // 8
    packed = np.frombuffer(buffer, np.uint8, (offset + count + 7) // 8 - first, first)
    return np.unpackbits(packed, bitorder="little")[offset - 8 * first :][:count]


def _dtype(kind: Any) -> np.dtype[Any]:
    if pa.types.is_boolean(kind):
        return np.dtype(np.uint8)
    letter = "f" if pa.types.is_floating(kind) else "u" if pa.types.is_unsigned_integer(kind) else "i"
    return np.dtype(f"{letter}{kind.bit_width // 8}")
