"""Read a column of customers' ids as Arrow holds it: most are texts that stay as they are, which a look at their bytes tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churn.customers.arrow_buffers import from_texts
from churn.customers.cells import Doubt, json_value
from churn.customers.customer_id import MAX_ID_LENGTH, NOBODY_TEXTS, SUM_WORDS, names_sums, read_ids
from churn.customers.from_arrow import is_text

_LAST_CONTROL, _DELETE = 0x1F, 0x7F
_BLANK, _POINT, _ZERO, _NINE = b" .09"
_PLUS, _LOWER_E, _TO_LOWER, _HASH = ord("+"), ord("e"), 0x20, ord("#")
_LONGEST_NOBODY = max(map(len, NOBODY_TEXTS))
_SUMS_BEGIN = np.array(sorted({ord(word[0]) for word in SUM_WORDS}), np.uint8)


def read_id_column(column: Any) -> tuple[Any, Doubt | None]:
    """Return ids as texts, or as the integers that they are, and where they break a rule.

    Parameters
    ----------
    column : pyarrow.Array, length n

    Returns
    -------
    ids : pyarrow.Array, length n
    doubtful : array of bool, shape (n,), or None
        None: nowhere.
    """
    if pa.types.is_integer(column.type):
        return column, None
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_text(kind) and _all_plain(column := _without_empty(column.cast(pa.string()))):
        return column, None
    ids, doubtful = read_ids([json_value(one) for one in column.to_pylist()])
    return from_texts(ids), doubtful


def _without_empty(ids: Any) -> Any:
    """Return texts with null in place of empty ones, which is what CSV has where nobody is named."""
    _, offsets, data = ids.buffers()
    if data is None or not len(ids):
        return ids
    lengths = np.diff(np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + len(ids) + 1])
    if np.count_nonzero(lengths) + ids.null_count == len(ids):
        return ids
    validity = pa.py_buffer(np.packbits(lengths > 0, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), len(ids), [validity, offsets.slice(4 * ids.offset), data])


def _all_plain(ids: Any) -> bool:
    """Tell, by a look at their bytes, whether all texts are ids that are stored as they are (`customer_id.is_plain_id`)."""
    _, offsets, data = ids.buffers()
    if data is None or not len(ids):
        return bool(ids.null_count == len(ids))
    places = np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + len(ids) + 1]
    read = np.frombuffer(data, np.uint8)
    within = read[places[0] : places[-1]]
    lengths = np.diff(places)
    if lengths.max() > MAX_ID_LENGTH or (within.size and _some_control(within)):
        return False
    shortest = lengths.min()
    starts, ends = places[:-1], places[1:]
    if not shortest:
        there = np.flatnonzero(lengths)
        starts, ends, lengths = starts[there], ends[there], lengths[there]
    first, last = read[starts], read[ends - 1]
    if _odd_end(first) or _odd_end(last) or _some_damage(within, first) or _some_sums(read, starts, ends):
        return False
    zeros = np.flatnonzero(last == _ZERO)  # 415.0
    if zeros.size and bool((read[ends[zeros] - 2] == _POINT).any()):
        return False
    # Short texts that begin with no digit may stand for nobody.
    if shortest > _LONGEST_NOBODY:
        return True
    short = first[lengths <= _LONGEST_NOBODY]
    return not bool(((short < _ZERO) | (short > _NINE)).any())


def _some_control(read: NDArray[np.uint8]) -> bool:
    return bool(read.min() <= _LAST_CONTROL) or bool((read == _DELETE).any())


def _some_damage(read: NDArray[np.uint8], first: NDArray[np.uint8]) -> bool:
    """Tell whether `customer_id.may_be_damaged` is true of some text."""
    pluses = np.flatnonzero(read[1:] == _PLUS)
    return bool((read[pluses] | _TO_LOWER == _LOWER_E).any()) or bool((first == _HASH).any())


def _some_sums(read: NDArray[np.uint8], starts: NDArray[np.int32], ends: NDArray[np.int32]) -> bool:
    """Tell whether `customer_id.names_sums` is true of some text; most end in a digit, which none of these words does."""
    rows = np.flatnonzero(read[ends - 1] > _NINE)
    rows = rows[np.isin(read[starts[rows]] | _TO_LOWER, _SUMS_BEGIN)]
    return any(names_sums(bytes(read[starts[row] : ends[row]]).decode("utf-8", "replace")) for row in rows)


def _odd_end(read: NDArray[np.uint8]) -> bool:
    """Tell whether some text has a blank at this end; those beyond ASCII may be blanks, too."""
    return bool((read == _BLANK).any()) or bool(read.size and read.max() > _DELETE)
