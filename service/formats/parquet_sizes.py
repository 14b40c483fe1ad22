"""How large the pages of a Parquet column become when they are decoded, told before they are.

What a file's footer says of sizes binds nobody; what each page's header says is what the decoder makes room for. The headers are
Thrift structs in the compact protocol: here their two sizes are read, and all else is skipped.
(parquet.thrift, PageHeader; thrift/doc/specs/thrift-compact-protocol.md.)
"""

from __future__ import annotations

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_UNCOMPRESSED, _COMPRESSED = 2, 3
_DEEPEST = 16


class Malformed(ValueError):
    """A page header that is none."""


def unpacked_bytes(chunk: memoryview) -> int:
    """Add up the sizes that the pages of a column chunk claim to unpack to.

    Raises
    ------
    Malformed
        If a header is none, or a size is negative.
    """
    place = claimed = 0
    while place < len(chunk):
        header = _Header(chunk, place)
        sizes = header.read_sizes()
        uncompressed, compressed = sizes.get(_UNCOMPRESSED, -1), sizes.get(_COMPRESSED, -1)
        if uncompressed < 0 or compressed < 0:
            raise Malformed("a page has no size")
        claimed += uncompressed
        place = header.place + compressed
    return claimed


class _Header:
    """Reads one struct, from `place` on."""

    def __init__(self, data: memoryview, place: int) -> None:
        self.place = place
        self._data = data

    def read_sizes(self) -> dict[int, int]:
        """Give the 32-bit fields of the struct, by their numbers."""
        found: dict[int, int] = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._zigzag()
            if kind & 15 == _I32:
                # Of a field that is there twice, the larger one is believed.
                found[number] = max(self._zigzag(), found.get(number, -1))
            else:
                self._skip(kind & 15, 0)
        return found

    def _byte(self) -> int:
        if self.place >= len(self._data):
            raise Malformed("a page header is cut off")
        self.place += 1
        return self._data[self.place - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise Malformed("a number is too long")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, kind: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise Malformed("a page header is nested too deep")
        if kind in (_TRUE, _FALSE):
            return
        if kind in (_I16, _I32, _I64):
            self._varint()
        elif kind == _BYTE:
            self.place += 1
        elif kind == _DOUBLE:
            self.place += 8
        elif kind == _BINARY:
            length = self._varint()  # (moves the place, too)
            self.place += length
        elif kind == _STRUCT:
            while inner := self._byte():
                if not inner >> 4:
                    self._varint()
                self._skip(inner & 15, depth + 1)
        else:
            raise Malformed("a page header holds what none does")
