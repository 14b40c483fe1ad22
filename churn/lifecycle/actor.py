"""Who runs this process, for records of decisions."""

from __future__ import annotations

import getpass
import os
import socket


def current_user() -> str:
    """Return user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user that no passwd file knows
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
