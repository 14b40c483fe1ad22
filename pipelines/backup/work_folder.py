"""A folder to work in, which holds customers: not even a process that was killed leaves one behind for long."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from churn.file_lock import try_lock


@contextmanager
def work_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder for a `with` block.

    Parameters
    ----------
    parent : Path
    prefix : str
        Its name begins with this, and nobody else's does.

    Yields
    ------
    Path
        Only its owner may look into it.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    folder, handle = _locked_folder(parent, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def remove_abandoned_folders(parent: Path, prefix: str) -> None:
    """Remove the work folders that killed processes have left; those in use stay.

    Parameters
    ----------
    parent, prefix
        See `work_folder`.
    """
    for left in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if try_lock(handle):
                    shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(handle)


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        # Who cleans up at this moment may take it for abandoned.
        with suppress(FileNotFoundError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            if _is_free(handle) and folder.is_dir():
                return folder, handle
            os.close(handle)


def _is_free(handle: int) -> bool:
    try:
        return try_lock(handle)
    except OSError:  # a file system without locks: nothing is ever taken for abandoned there
        return True
