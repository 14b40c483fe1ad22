"""Does anything listen in a container? Asked of the kernel: a health check is a process in it, which costs what it waits for."""

from __future__ import annotations

from pathlib import Path

# The kernel's number of the state LISTEN.
LISTEN = "0A"


def listens(pid: int, port: int) -> bool:
    """Return whether anything listens on a port, on any address, in the network of a process.

    Parameters
    ----------
    pid : int
        On this machine; 0, as podman says of a container that does not run, listens on nothing.
    port : int

    Returns
    -------
    bool
    """
    return any(_is_listening(line, port) for name in ("tcp", "tcp6") for line in _sockets(pid, name))


def _sockets(pid: int, name: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    except OSError:  # it has ended, or this kernel has no IPv6
        return []


def _is_listening(line: str, port: int) -> bool:
    _, local, _, state, *_ = line.split()
    return state == LISTEN and int(local.rpartition(":")[2], 16) == port
