"""Read how many rows a Parquet file has and how large its pages become, before they are decoded.

The sizes in a footer bind nobody; the decoder allocates what each page's header claims. They are read here and
not through pyarrow, whose view of a column's metadata ends the process where they are broken (an uncaught C++ exception, 25.0).
(parquet.thrift: FileMetaData, RowGroup, ColumnChunk, ColumnMetaData, PageHeader.)
"""

from __future__ import annotations

from typing import Any, NamedTuple

from service.formats.size_checks.thrift import CompactReader, Malformed

_MAGIC = b"PAR1"
_TAIL = 8
_DELTA_BYTE_ARRAY = 7


class ParquetSizes(NamedTuple):
    """What a file claims.

    Attributes
    ----------
    rows : int
    unpacked_bytes : int
        Of all pages.
    columns : frozenset of str
        Names of the columns; empty for a file with nested ones.
    largest_page : int
        In bytes, unpacked.
    shares_prefixes : bool
        Whether a page's texts say how much they share with the one before (DELTA_BYTE_ARRAY): so they may become as many times
        as large as the page as it has texts.
    """

    rows: int
    unpacked_bytes: int
    columns: frozenset[str]
    largest_page: int
    shares_prefixes: bool


def read_sizes(body: bytes) -> ParquetSizes:
    """Read the claims of a whole file.

    Raises
    ------
    Malformed
        If it is no Parquet file, or its metadata are broken or contradict each other.
    """
    length = int.from_bytes(body[-_TAIL:-4], "little")
    if not (body.startswith(_MAGIC) and body.endswith(_MAGIC) and length <= len(body) - _TAIL - len(_MAGIC)):
        raise Malformed("not a Parquet file")
    footer = CompactReader(body[-_TAIL - length : -_TAIL]).struct()
    groups = [_typed(group, dict) for group in _field(footer, 4, list)]
    rows = _size(footer, 3)
    if sum(_size(group, 3) for group in groups) != rows:
        raise Malformed("the row groups have other rows than the file")
    chunks = [_field(_typed(chunk, dict), 3, dict) for group in groups for chunk in _field(group, 1, list)]
    # The schema is a tree in preorder: its root, and, where nothing is nested, a leaf a column.
    leaves = [_typed(element, dict) for element in _field(footer, 2, list)[1:]]
    flat = not any(element.get(5) for element in leaves)
    columns = frozenset(_field(element, 4, bytes).decode() for element in leaves if flat)
    pages = [_pages(memoryview(body), chunk) for chunk in chunks]
    largest = max((size for sizes, _ in pages for size in sizes), default=0)
    return ParquetSizes(rows, sum(sum(sizes) for sizes, _ in pages), columns, largest, any(shared for _, shared in pages))


def _pages(body: memoryview, chunk: dict[int, Any]) -> tuple[list[int], bool]:
    """Return the sizes that the pages of a column chunk claim to unpack to, and whether the texts of one share prefixes."""
    start, dictionary = _size(chunk, 9), chunk.get(11)
    if isinstance(dictionary, int) and 0 < dictionary < start:
        start = dictionary
    end = start + _size(chunk, 7)
    if end > len(body):
        raise Malformed("a column lies outside of the file")
    claimed: list[int] = []
    shared = False
    reader = CompactReader(body[:end], start)
    while reader.place < end:
        header = reader.struct()
        claimed.append(_size(header, 2))
        encodings = [part.get(at) for at, part in ((2, header.get(5)), (4, header.get(8))) if isinstance(part, dict)]
        shared |= _DELTA_BYTE_ARRAY in encodings
        reader.place += _size(header, 3)
    return claimed, shared


def _field(struct: dict[int, Any], number: int, kind: type) -> Any:
    return _typed(struct.get(number), kind)


def _typed(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise Malformed("metadata lack what they need")
    return value


def _size(struct: dict[int, Any], number: int) -> int:
    size = struct.get(number)
    if type(size) is not int or size < 0:
        raise Malformed("a size is missing or negative")
    return size
