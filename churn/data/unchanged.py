"""Refuse what is made of a file that was changed while it was read: half of one export, and the beginning of another."""

from __future__ import annotations

from pathlib import Path

from churn.errors import InputError

Stamp = tuple[int, int]


def stamp_of(path: Path) -> Stamp:
    """Return the size of a file in bytes and when it was changed, in nanoseconds since 1970.

    Raises
    ------
    OSError
        If it is not there.
    """
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def check_unchanged(path: Path, before: Stamp) -> None:
    """Refuse a file that is another one than before.

    Parameters
    ----------
    path : Path
    before : (int, int)
        What `stamp_of` returned.

    Raises
    ------
    InputError
        If it was written to, replaced or removed meanwhile.
    """
    try:
        now = stamp_of(path)
    except OSError:
        now = None
    if now != before:
        raise InputError(f"{path}: was changed while it was read, or since (or is another file on a worker); start again")
