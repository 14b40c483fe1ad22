"""PostgreSQL's own programs: where they are on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from churn.errors import ChurnError


def find_program(name: str) -> Path:
    """Find one of PostgreSQL's programs: of the newest version that Debian installed, or on the path.

    Raises
    ------
    ChurnError
        If it is not here; the message says how to get it.
    """
    versions = list(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if versions:
        return max(versions, key=lambda path: float(path.parent.parent.name))
    found = shutil.which(name)
    if found is None:
        raise ChurnError(f"PostgreSQL's program {name} is not here; on Debian: apt-get install postgresql-client (or postgresql)")
    return Path(found)
