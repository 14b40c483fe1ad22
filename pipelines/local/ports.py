"""Ports for programs that are about to be started: no other process finds the same one while whoever found it runs.

A port that the kernel gave, and that was let go again, can be somebody else's before the program listens on it: another process
asks the kernel for one, or any outgoing connection begins there. So ours lie below those that the kernel gives, and are locked.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import tempfile
from functools import cache
from itertools import chain
from pathlib import Path

from churn.errors import ChurnError

# Above the ports of known servers, below those that Linux (32,768) and macOS (49,152) give to whoever asks for any.
PORTS = range(20_000, 32_000)
LOOPBACK = "127.0.0.1"
# A process can lock again what it has locked itself.
_found: set[int] = set()


def free_port() -> int:
    """Find a port of this machine that is free, and that no other process finds before this one ends.

    Returns
    -------
    int

    Raises
    ------
    ChurnError
        If none is free.
    """
    start = secrets.randbelow(len(PORTS))
    for port in chain(PORTS[start:], PORTS[:start]):
        if _hold(port, LOOPBACK):
            return port
    raise ChurnError(f"no port from {PORTS[0]} to {PORTS[-1]} is free")


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Return whether a port can be listened on.

    Parameters
    ----------
    port : int
    host : str

    Returns
    -------
    bool
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _hold(port: int, host: str) -> bool:
    """Lock a port until this process ends, unless it is somebody's."""
    if port in _found:
        return False
    try:
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _found.add(port)
    return is_free(port, host)


@cache
def _locks() -> int:
    """Open the file whose bytes are locked; the kernel lets go of them when the process ends, however it ends."""
    path = Path(tempfile.gettempdir(), f"churn-ports-{os.getuid()}")
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
