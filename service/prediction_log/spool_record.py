"""Records of the spool: the rows of one commit with their length and checksum, and the search for the next one after damage."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import orjson

from churn.store.records import TIME_FORMAT, PredictionRow

HEADER = struct.Struct("<II")  # length and CRC-32 of what follows
# How every payload begins. It is nowhere else in one: in a JSON string the quote is escaped.
BEGIN = b'[["'
SCAN_BYTES = 2**20


def encode_record(rows: Sequence[PredictionRow]) -> bytes:
    """Return the rows of one commit as a record."""
    payload = orjson.dumps([tuple(row) for row in rows])
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def decode_rows(payload: bytes) -> list[PredictionRow] | None:
    """Return the rows of a record's payload; None if it holds anything else, such as the rows of another version."""
    try:
        rows = [PredictionRow(*row) for row in orjson.loads(payload)]
        requested_at(rows[-1])
    except (ValueError, TypeError, LookupError):
        return None
    return rows


def requested_at(row: PredictionRow) -> float:
    """Return when a prediction was requested, in seconds since 1970."""
    return datetime.strptime(row.requested_at, TIME_FORMAT).replace(tzinfo=UTC).timestamp()


def split_records(
    read: Callable[[int, int], bytes], start: int, size: int
) -> Iterator[tuple[int, int, list[PredictionRow] | None]]:
    """Yield begin, end and rows of each record; together they cover all bytes, whatever is in them.

    After bytes that are no record, the next one that checks is searched for: damage loses only the records that it touched. Each
    byte is looked at once for damage, and each place that looks like a payload is checked once.

    Parameters
    ----------
    read : callable
        Returns up to so many bytes (second argument) from an offset (first argument).
    start, size : int
        Where to begin and where to end, in bytes.

    Yields
    ------
    tuple of (int, int, list of PredictionRow or None)
        None for rows if these bytes are damaged.
    """
    while start < size:
        stop = _end_of_record(read, start, size)
        if stop is not None:
            yield start, stop, decode_rows(read(start + HEADER.size, stop - start - HEADER.size))
        else:
            stop = _next_record(read, start + 1, size)
            yield start, stop, None
        start = stop


def _end_of_record(read: Callable[[int, int], bytes], start: int, size: int) -> int | None:
    """Return where the record at `start` ends; None if there is none that checks."""
    if start + HEADER.size + len(BEGIN) > size:
        return None
    length, checksum = HEADER.unpack(read(start, HEADER.size))
    stop = start + HEADER.size + length
    if stop > size or read(start + HEADER.size, len(BEGIN)) != BEGIN:
        return None
    payload = read(start + HEADER.size, length)
    return stop if len(payload) == length and zlib.crc32(payload) == checksum else None


def _next_record(read: Callable[[int, int], bytes], start: int, size: int) -> int:
    """Return where the first record at or after `start` begins that checks; `size` if there is none."""
    position = start + HEADER.size
    while position < size:
        piece = read(position, min(SCAN_BYTES, size - position))
        found = piece.find(BEGIN)
        while found >= 0:
            begin = position + found - HEADER.size
            if _end_of_record(read, begin, size) is not None:
                return begin
            found = piece.find(BEGIN, found + 1)
        if len(piece) < len(BEGIN):
            break
        # The mark may lie across two pieces.
        position += len(piece) - len(BEGIN) + 1
    return size
