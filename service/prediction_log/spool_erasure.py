"""Erasing one customer from the spool: segments that no running service holds, and what was set aside."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from churn.atomic_write import PRIVATE, STAGING_PREFIX, atomic_write, sync_folder
from churn.store.records import PredictionRow
from service.prediction_log.spool_segment import _HEADER, BAD_SUFFIX, SUFFIX, _record, _rows, _Segment


@dataclass(frozen=True, slots=True)
class Wiped:
    """How many rows were erased on disk, and which files a running service holds, so that they could not be looked into."""

    rows: int
    held: list[Path]


def erase_spooled(folder: Path, names: Collection[str]) -> Wiped:
    """Erase the rows of a customer, by any of the names that stand for them, from the spool in `folder`.

    A file is written anew beside the old one and takes its place: nobody finds half of it. Of a file that was set aside because
    it is damaged, nothing is kept if the customer's name is in it.
    """
    rows, held = 0, []
    # An erasure that was killed left rows behind in a file that nobody reads any more.
    for left in folder.glob(f"{STAGING_PREFIX}*"):
        left.unlink(missing_ok=True)
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        segment = _Segment.take(path)
        if segment is None:
            if path.exists():
                held.append(path)
            continue
        try:
            segment.recover()
            rows += _wipe(path, names)
        finally:
            segment.close()
    return Wiped(rows + sum(_wipe(path, names) for path in sorted(folder.glob(f"*{BAD_SUFFIX}"))), held)


def _wipe(path: Path, names: Collection[str]) -> int:
    data = path.read_bytes()
    removed, end, kept = 0, 0, []
    for group, stop in _groups(data):
        staying = [row for row in group if row.customer_id not in names]
        removed += len(group) - len(staying)
        if staying:
            kept.append(_record(staying))
        end = stop
    damaged = data[end:]
    # As JSON spells it, without the quote at its end: that may be cut off.
    named = any(orjson.dumps(name)[:-1] in damaged for name in names)
    if removed or named:
        _replace(path, b"".join(kept) + (b"" if named else damaged))
    return removed


def _groups(data: bytes) -> Iterator[tuple[list[PredictionRow], int]]:
    """Give the rows of each whole record and where it ends, up to what is none."""
    start = 0
    while start + _HEADER.size <= len(data):
        length, _ = _HEADER.unpack_from(data, start)
        stop = start + _HEADER.size + length
        rows = _rows(data[start + _HEADER.size : stop])
        if rows is None:
            return
        yield rows, stop
        start = stop


def _replace(path: Path, data: bytes) -> None:
    if data:
        with atomic_write(path, mode=PRIVATE) as staging:
            staging.write_bytes(data)
    else:
        path.unlink()
        sync_folder(path.parent)
