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
