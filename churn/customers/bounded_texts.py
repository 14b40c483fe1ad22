"""Columns of texts from Arrow, with no more in them than any rule reads: what repeats is kept once, and what is too long is cut.

An encoding may say in a few bytes that every row holds the same long text. Whatever looks at rows one by one would then read a
thousand times what was sent. So a dictionary's values are judged once, and the indices after; views of the same bytes become
such a dictionary; and a text that is longer than any rule reads loses its end, which no rule would look at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn.customers.cell_rule import MAX_TEXT_LENGTH

# A view: the length, the first bytes, and, of more than twelve bytes, which buffer they lie in and where.
_VIEW = np.dtype([("length", "<i4"), ("first", "<u4"), ("buffer", "<i4"), ("offset", "<i4")])
_INLINE_BYTES = 12


class TooMuchText(ValueError):
    """Texts that are much more than the bytes they were sent in."""


def bounded_texts(column: Any, max_bytes: int, max_length: int = MAX_TEXT_LENGTH) -> Any:
    """Return a column of texts, or of a dictionary of texts, with all texts cut that are longer than any rule reads.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Whose buffers are not yet known to be valid. Of any type: what holds no texts is returned as it is, when it is valid.
    max_bytes : int
        At most so many bytes of texts.
    max_length : int
        Characters of the longest text that is kept whole.

    Returns
    -------
    pyarrow.ChunkedArray
        Valid. Of views, a dictionary.

    Raises
    ------
    TooMuchText
        More than `max_bytes`.
    pyarrow.ArrowInvalid
        If buffers are not what the type says.
    """
    chunks = [_bounded(chunk, max_bytes, max_length) for chunk in column.chunks]
    return pa.chunked_array(chunks, chunks[0].type if chunks else column.type)


def _bounded(chunk: Any, max_bytes: int, max_length: int) -> Any:
    kind = chunk.type
    if pa.types.is_string_view(kind):
        return _from_views(chunk, max_bytes, max_length)
    if pa.types.is_dictionary(kind) and pa.types.is_string_view(kind.value_type):
        values = _from_views(chunk.dictionary, max_bytes, max_length).dictionary_decode()
        chunk = pa.DictionaryArray.from_arrays(chunk.indices, values)
        kind = chunk.type
    chunk.validate(full=True)
    if pa.types.is_dictionary(kind) and _has_offsets(kind.value_type):
        values = _cut(chunk.dictionary, max_length)
        return chunk if values is chunk.dictionary else pa.DictionaryArray.from_arrays(chunk.indices, values)
    return _cut(chunk, max_length) if _has_offsets(kind) else chunk


def _has_offsets(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _cut(texts: Any, max_length: int) -> Any:
    """Return valid texts without what is beyond `max_length` and one character more, which tells that there was more."""
    _, offsets, _ = texts.buffers()
    if offsets is None or not len(texts):
        return texts
    dtype = np.dtype(np.int64 if pa.types.is_large_string(texts.type) else np.int32)
    ends = np.frombuffer(offsets, dtype, len(texts) + 1, texts.offset * dtype.itemsize)
    if np.diff(ends).max() <= max_length:
        return texts
    return pc.utf8_slice_codeunits(texts, 0, max_length + 1)


def _from_views(array: Any, max_bytes: int, max_length: int) -> Any:
    """Return views as a dictionary of the different ones."""
    array.validate()
    rows = len(array)
    # (Without the validity a null is a view like others: only where it does not count may it be anything.)
    _, packed, *data = array.buffers()
    views = np.zeros(rows, _VIEW) if packed is None else np.frombuffer(packed, _VIEW, rows, array.offset * _VIEW.itemsize).copy()
    nulls = array.is_null()
    missing = np.frombuffer(nulls.cast(pa.uint8()).buffers()[1], np.uint8, rows).astype(np.bool_)
    views[missing] = np.zeros(1, _VIEW)
    _check_views(views, data)
    lengths = views["length"]
    if lengths.sum(dtype=np.int64) <= array.get_total_buffer_size():
        # Nothing can repeat much.
        array.validate(full=True)
        return _cut(array.cast(pa.large_string()), max_length).dictionary_encode()
    different, places = np.unique(views.view("V16"), return_inverse=True)
    if int(different.view(_VIEW)["length"].sum(dtype=np.int64)) > max_bytes:
        raise TooMuchText
    texts = pa.Array.from_buffers(pa.string_view(), len(different), [None, pa.py_buffer(different.tobytes()), *data])
    texts.validate(full=True)
    validity = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None
    indices = pa.Array.from_buffers(pa.int32(), rows, [validity, pa.py_buffer(places.astype(np.int32))])
    return pa.DictionaryArray.from_arrays(indices, _cut(texts.cast(pa.large_string()), max_length))


def _check_views(views: Any, data: list[Any]) -> None:
    lengths = views["length"]
    outside = views[lengths > _INLINE_BYTES]
    sizes = np.array([0 if one is None else one.size for one in data], np.int64)
    buffers = outside["buffer"]
    if (lengths < 0).any() or (buffers < 0).any() or (outside["offset"] < 0).any() or (buffers >= len(data)).any():
        raise pa.ArrowInvalid("a view leads nowhere")
    if len(outside) and (outside["offset"].astype(np.int64) + outside["length"] > sizes[buffers]).any():
        raise pa.ArrowInvalid("a view leads nowhere")
