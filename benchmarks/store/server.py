"""A PostgreSQL of the benchmark's own, which syncs to the disk as in production and tells the plan of all it runs."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from churn.errors import ChurnError
from pipelines.postgres_programs import find_program

SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_nested_statements": "on",
    # To the client alone, who asks for it.
    "log_min_messages": "fatal",
}


@contextmanager
def postgres(folder: Path | None = None) -> Iterator[str]:
    """Start a server for a `with` block, on a socket, and give the URL of an empty database. ChurnError if it does not start."""
    home = Path(tempfile.mkdtemp(prefix="churn-pg-", dir=folder))
    try:
        user = _somebody_but_root(home)
        _run([*user, find_program("initdb"), "-D", home / "data", "--auth=trust", "--username=churn", "-E", "UTF8"], home)
        said = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        control = [*user, find_program("pg_ctl"), "-D", home / "data", "--wait"]
        _run([*control, "--log", home / "log", "-o", f"-k {home} {said}", "start"], home)
        try:
            yield f"postgresql://churn@/postgres?host={quote(str(home), safe='')}"
        finally:
            _run([*control, "-m", "immediate", "stop"], home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _somebody_but_root(home: Path) -> list[str | Path]:
    """Give the words to put before a command: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    known = {entry.pw_name for entry in pwd.getpwall()}
    name = next(name for name in ("postgres", "nobody") if name in known)
    shutil.chown(home, name)
    return ["runuser", "-u", name, "--"]


def _run(command: list[str | Path], home: Path) -> None:
    # A file, not a pipe: the server inherits it, and the pipe would never end.
    with (home / "output").open("ab+") as output:
        done = subprocess.run(command, cwd=home, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, timeout=120)
        if done.returncode != 0:
            output.seek(0)
            raise ChurnError(f"PostgreSQL did not start: {output.read().decode(errors='replace').strip()[-500:]}")
