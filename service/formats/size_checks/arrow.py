"""Compute how large an Arrow IPC message becomes, before it is decoded.

Buffers that are not compressed are used where they lie. A compressed one begins with the size that it claims to unpack to, and
that is what the decoder makes room for: so the claims are added up first. (Arrow's Message.fbs; FlatBuffers, "Internals".)
"""

from __future__ import annotations

from struct import Struct, error

_U16, _U32, _I32, _I64 = Struct("<H"), Struct("<I"), Struct("<i"), Struct("<q")
_BUFFER = Struct("<qq")
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_NOT_COMPRESSED = -1


class Malformed(ValueError):
    """A message that contradicts itself."""


class Weights:
    """Adds up what messages take beyond the bytes that they were sent in.

    Parameters
    ----------
    max_bytes : int
        At most so many in all.
    """

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._dictionaries: dict[int, int] = {}

    def add(self, metadata: bytes, body: bytes | memoryview) -> bool:
        """Add a message; tell whether there is still room.

        Parameters
        ----------
        metadata : bytes
            The message's flatbuffer.
        body : bytes
            The buffers.

        Returns
        -------
        bool

        Raises
        ------
        Malformed
        """
        unpacked = unpacked_bytes(metadata, body)
        self._left -= unpacked
        if (found := _dictionary(metadata)) is not None:
            number, is_delta = found
            # What is added to a dictionary makes a new one, as large as both; the batches before keep theirs.
            self._dictionaries[number] = max(len(body), unpacked) + (self._dictionaries.get(number, 0) if is_delta else 0)
            self._left -= self._dictionaries[number] if is_delta else 0
        return self._left >= 0


def _dictionary(metadata: bytes) -> tuple[int, bool] | None:
    """Return the number of the dictionary that a message holds, and whether it adds to an earlier one; None if it holds none."""
    try:
        message = _U32.unpack_from(metadata, 0)[0]
        header, kind = _field(metadata, message, 2), _field(metadata, message, 1)
        if not header or not kind or metadata[kind] != _DICTIONARY_BATCH:
            return None
        batch = header + _U32.unpack_from(metadata, header)[0]
        number, is_delta = _field(metadata, batch, 0), _field(metadata, batch, 2)
        return (_I64.unpack_from(metadata, number)[0] if number else 0), bool(is_delta and metadata[is_delta])
    except (error, IndexError) as broken:
        raise Malformed("an offset leads out of the message") from broken


def unpacked_bytes(metadata: bytes, body: bytes | memoryview) -> int:
    """Return how many bytes the compressed buffers of a message claim to unpack to; 0 if none is compressed.

    Parameters
    ----------
    metadata : bytes
        The message's flatbuffer.
    body : bytes
        The buffers.

    Returns
    -------
    int
        Bytes, at least 0.

    Raises
    ------
    Malformed
        If an offset leads nowhere, or a size is negative.
    """
    try:
        message = _U32.unpack_from(metadata, 0)[0]
        header = _field(metadata, message, 2)
        kind = _field(metadata, message, 1)
        if not header or not kind:
            return 0
        batch = header + _U32.unpack_from(metadata, header)[0]
        if metadata[kind] == _DICTIONARY_BATCH:
            data = _field(metadata, batch, 1)
            if not data:
                return 0
            batch = data + _U32.unpack_from(metadata, data)[0]
        elif metadata[kind] != _RECORD_BATCH:
            return 0
        buffers = _field(metadata, batch, 2)
        if not buffers or not _field(metadata, batch, 3):
            return 0
        return _claims(metadata, buffers + _U32.unpack_from(metadata, buffers)[0], body)
    except (error, IndexError) as broken:
        raise Malformed("an offset leads out of the message") from broken


def _claims(metadata: bytes, vector: int, body: bytes | memoryview) -> int:
    claimed = 0
    for number in range(_U32.unpack_from(metadata, vector)[0]):
        offset, length = _BUFFER.unpack_from(metadata, vector + 4 + number * _BUFFER.size)
        if offset < 0 or length < 0:
            raise Malformed("a buffer has a negative place or length")
        if length >= _I64.size:
            size = _I64.unpack_from(body, offset)[0]
            if size < _NOT_COMPRESSED:
                raise Malformed("a buffer claims a negative size")
            claimed += max(size, 0)
    return claimed


def _field(buffer: bytes, table: int, number: int) -> int:
    """Find a table's field; 0 if it is not there."""
    vtable = table - int(_I32.unpack_from(buffer, table)[0])
    if vtable < 0 or table < 0:
        raise Malformed("a table lies outside of the message")
    place = 4 + 2 * number
    if place >= _U16.unpack_from(buffer, vtable)[0]:
        return 0
    offset = int(_U16.unpack_from(buffer, vtable + place)[0])
    return table + offset if offset else 0
