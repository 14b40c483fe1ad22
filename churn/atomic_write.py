"""Write a file whole or not at all: a reader never finds half of it, nor does a power cut leave half of it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from churn.file_lock import try_lock
from churn.ids import new_id

# Of the names of files that are being written. One is left behind only by a process that was killed.
STAGING_PREFIX = ".writing-"
YOUNG_SECONDS = 1.0
PRIVATE = 0o600
USUAL = 0o666


@contextmanager
def atomic_write(target: Path, *, mode: int = USUAL, staging_folder: Path | None = None) -> Iterator[Path]:
    """Yield an empty file to write to; rename it to `target` when the block has ended well.

    The content reaches the disk before the new name, and the new name before this function returns.

    Parameters
    ----------
    target : pathlib.Path
        The file to write or to replace. Its folder must be there.
    mode : int, default 0o666
        Permission bits, less the umask: `PRIVATE` for what other accounts must not read.
    staging_folder : pathlib.Path, optional
        Where to write first, on the same file system; by default, beside `target`.

    Yields
    ------
    pathlib.Path
        Write to this path. Write into the file, do not replace it: a file of its own would not have `mode`.

    Raises
    ------
    OSError
        If there is no such folder, the target is a device or a pipe, or it cannot be written. As after any other exception in
        the block, `target` is what it was before, and the staging file is removed. It names the target if it names no file.
    """
    if target.exists() and not (target.is_file() or target.is_dir()):
        # A file would take the place of /dev/null, for every program on the machine.
        raise OSError(errno.EINVAL, "it is a device or a pipe, and no file", str(target))
    # A name of its own: several threads and processes may write one file at the same time.
    staging = (staging_folder or target.parent) / f"{STAGING_PREFIX}{new_id()}"
    handle = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with suppress(OSError):  # a file system without locks: nothing is ever taken for abandoned there
            try_lock(handle)
        yield staging
        with staging.open("rb") as written:
            os.fsync(written.fileno())
        staging.replace(target)
    except BaseException as error:
        staging.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(target)  # of a full disk, a write does not say which file it was
        raise
    finally:
        os.close(handle)
    sync_folder(target.parent)


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes have left of files that they were writing; what is being written stays.

    Call it where customers are written into a folder that is not ours: nobody else would find them there.

    Parameters
    ----------
    folder : pathlib.Path
    """
    for left in folder.glob(f"{STAGING_PREFIX}*"):
        with suppress(OSError):
            handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                # One that was made a moment ago may not be locked yet.
                if time.time() - os.fstat(handle).st_mtime > YOUNG_SECONDS and try_lock(handle):
                    left.unlink()
            finally:
                os.close(handle)


def is_same_file(one: Path, other: Path) -> bool:
    """Return whether two paths name one file, also through links: who writes to the one would replace the other.

    Parameters
    ----------
    one, other : pathlib.Path
        Of files that need not be there.

    Returns
    -------
    bool
    """
    return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))


def sync_folder(folder: Path) -> None:
    """Let the names in a folder survive a power cut, as `os.fsync` does for what is in a file.

    Raises
    ------
    OSError
        If the folder is not there, or the disk fails.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
