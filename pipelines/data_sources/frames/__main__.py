"""The child process: ``python -m pipelines.data_sources.frames REQUEST <frame.pkl.xz >rows.csv``.

It has little memory and time, and imports nothing but the standard library. Exit code 1, and one line on stderr: not readable.
"""

from __future__ import annotations

import csv
import io
import json
import lzma
import resource
import sys
from math import isnan
from typing import Any

from pipelines.data_sources.frames.columns import read_columns, require
from pipelines.data_sources.frames.records import UnreadableFrame

# A frame that is published as data has less than 1 MB, and so has its CSV.
MAX_BYTES = 16 * 2**20
MAX_XZ_MEMORY = 128 * 2**20
MAX_MEMORY = 512 * 2**20
MAX_CPU_SECONDS = 30


def unpack(packed: bytes) -> bytes:
    """Undo xz, up to `MAX_BYTES`.

    Raises
    ------
    UnreadableFrame
        If it is no xz, truncated, or larger.
    """
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)
    try:
        content = unpacker.decompress(packed, max_length=MAX_BYTES + 1)
    except lzma.LZMAError as error:
        raise UnreadableFrame(f"no xz: {error}") from error
    require(len(content) <= MAX_BYTES, f"more than {MAX_BYTES:,} bytes unpacked")
    require(unpacker.eof, "xz that is truncated")
    return content


def to_csv(columns: dict[str, list[Any]], headings: dict[str, str], levels: dict[str, dict[str, str]]) -> str:
    """Write columns as CSV with a header.

    Parameters
    ----------
    columns : dict of str to list
        Cells of type str, float or int. A NaN becomes blank.
    headings : dict of str to str
        Which columns, in which order, under which headings.
    levels : dict of str to dict
        By column: how each of its texts is spelled instead.

    Returns
    -------
    str

    Raises
    ------
    UnreadableFrame
        If a column is not there, a text is none of the levels, or there is too much text.
    """
    table = []
    for name in headings:
        require(name in columns, f"no column {name!r}")
        cells = columns[name]
        if name in levels:
            require(set(cells) <= set(levels[name]), f"an unknown level in {name!r}")
            cells = [levels[name][cell] for cell in cells]
        table.append([_text(cell) for cell in cells])
    # One text may be there a million times: it is counted before it is written as often.
    require(sum(len(cell) for column in table for cell in column) <= MAX_BYTES, "too much text")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(headings.values())
    writer.writerows(zip(*table, strict=True))
    return out.getvalue()


def _text(cell: str | float) -> str:
    return "" if isinstance(cell, float) and isnan(cell) else str(cell)


def limit_this_process() -> None:
    """Allow no more memory, time and bytes in a file than a frame needs."""
    for what, wanted in (
        (resource.RLIMIT_AS, MAX_MEMORY),
        (resource.RLIMIT_CPU, MAX_CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 2 * MAX_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(what, (limit, limit))


def main() -> None:
    """Read the frame from stdin, and write the rows that the request asks for to stdout."""
    limit_this_process()
    request = json.loads(sys.argv[1])
    try:
        columns = read_columns(unpack(sys.stdin.buffer.read(MAX_BYTES)), request["rows"])
        content = to_csv(columns, request["headings"], request["levels"]).encode()
    except (UnreadableFrame, MemoryError, RecursionError) as error:
        sys.exit(str(error) or type(error).__name__)
    sys.stdout.buffer.write(content)


if __name__ == "__main__":
    main()
