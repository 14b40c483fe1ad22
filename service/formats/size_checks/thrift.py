"""A reader of Thrift's compact protocol, in which Parquet encodes its metadata: structs as dicts, by the numbers of their fields.

It trusts nothing: what is nested too deep, goes on for too long or leads out of the data is `Malformed`, and nothing gets room
before it is there. (thrift/doc/specs/thrift-compact-protocol.md.)
"""

from __future__ import annotations

from typing import Any

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
MAX_DEPTH = 16
# Fields and elements in one document. Honest metadata of a batch have some thousands.
MAX_VALUES = 100_000


class Malformed(ValueError):
    """Metadata that cannot be read."""


class CompactReader:
    """Reads structs one after another from `place` on."""

    def __init__(self, data: memoryview | bytes, place: int = 0) -> None:
        self.place = place
        self._data = data
        self._values = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Read a struct.

        Raises
        ------
        Malformed
        """
        if depth > MAX_DEPTH:
            raise Malformed("metadata are nested too deep")
        found: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._zigzag()
            kind &= 15
            # Of a flag, the kind is the value.
            found[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        self._values += 1
        if self._values > MAX_VALUES:
            raise Malformed("metadata go on for too long")
        if kind in (_I16, _I32, _I64):
            return self._zigzag()
        if kind == _BINARY:
            return bytes(self._take(self._varint()))
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind == _DOUBLE:
            return self._take(8)
        raise Malformed("metadata hold what none do")

    def _list(self, depth: int) -> list[Any]:
        if depth > MAX_DEPTH:
            raise Malformed("metadata are nested too deep")
        header = self._byte()
        length = header >> 4
        if length == 15:
            length = self._varint()
        if length > len(self._data) - self.place:
            raise Malformed("a list is longer than its data")
        return [self._value(header & 15, depth + 1) for _ in range(length)]

    def _byte(self) -> int:
        if self.place >= len(self._data):
            raise Malformed("metadata are cut off")
        self.place += 1
        return self._data[self.place - 1]

    def _take(self, length: int) -> memoryview | bytes:
        if length > len(self._data) - self.place:
            raise Malformed("metadata are cut off")
        self.place += length
        return self._data[self.place - length : self.place]

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
