"""Erase one customer from the spool: from segments that no running service holds, and from what was set aside."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import orjson

from churn.atomic_write import PRIVATE, STAGING_PREFIX, atomic_write, sync_folder
from service.prediction_log.spool_record import encode_record, split_records
from service.prediction_log.spool_segment import BAD_SUFFIX, SUFFIX, Segment


@dataclass(frozen=True, slots=True)
class SpoolErasure:
    """What an erasure did: how many rows it removed, and which files it could not read because a running service holds them."""

    rows: int
    held: list[Path]


def erase_spooled(folder: Path, names: Collection[str]) -> SpoolErasure:
    """Erase the rows of one customer from the spool. Each file is replaced atomically.

    A damaged piece of a file is dropped whole if one of the ids occurs in it.

    Parameters
    ----------
    folder : Path
        The spool's folder.
    names : collection of str
        The ids that stand for the customer: the plain one and its pseudonyms.

    Returns
    -------
    SpoolErasure
    """
    rows, held = 0, []
    # An erasure that was killed has left rows in a file that nothing else reads.
    for left in folder.glob(f"{STAGING_PREFIX}*"):
        left.unlink(missing_ok=True)
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        segment = Segment.lock(path)
        if segment is None:
            if path.exists():
                held.append(path)
            continue
        try:
            segment.recover()
            rows += _erase_from(path, names)
        finally:
            segment.close()
    return SpoolErasure(rows + sum(_erase_from(path, names) for path in sorted(folder.glob(f"*{BAD_SUFFIX}"))), held)


def _erase_from(path: Path, names: Collection[str]) -> int:
    data = path.read_bytes()
    removed, changed, kept = 0, False, []
    for start, stop, group in split_records(lambda start, length: data[start : start + length], 0, len(data)):
        piece = data[start:stop]
        if group is None:
            # As it is encoded in JSON, without the closing quote, which may be cut off.
            staying = b"" if any(orjson.dumps(name)[:-1] in piece for name in names) else piece
        else:
            rows = [row for row in group if row.customer_id not in names]
            removed += len(group) - len(rows)
            staying = piece if len(rows) == len(group) else encode_record(rows) if rows else b""
        changed |= staying is not piece
        kept.append(staying)
    if changed:
        _replace(path, b"".join(kept))
    return removed


def _replace(path: Path, data: bytes) -> None:
    if data:
        with atomic_write(path, mode=PRIVATE) as staging:
            staging.write_bytes(data)
    else:
        path.unlink()
        sync_folder(path.parent)
