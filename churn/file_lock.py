"""Advisory lock of an open file (flock): it goes with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
from typing import IO


def try_lock(file: int | IO[bytes], *, shared: bool = False) -> bool:
    """Take the lock of an open file if it is free; never wait.

    Parameters
    ----------
    file : int or binary file
        A descriptor, also of a folder, or an open file. Closing it gives the lock back.
    shared : bool, default False
        Whether others may hold it, too, as long as each of them takes it as shared.

    Returns
    -------
    bool
        False if somebody else holds it.

    Raises
    ------
    OSError
        If the file system knows no locks.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
