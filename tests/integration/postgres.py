"""A real PostgreSQL for the time of a test, from the machine's own binaries: on a socket in a folder of its own, on no port."""

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

import psycopg
import pytest

HOW_TO_GET_IT = "needs PostgreSQL's server programs: apt-get install -y postgresql"


class Server:
    """A running server. Its databases are made and dropped through `database`."""

    def __init__(self, sockets: Path) -> None:
        self._sockets = sockets
        self._made = 0

    @contextmanager
    def database(self) -> Iterator[str]:
        """An empty database for a `with` block, as a SQLAlchemy URL."""
        self._made += 1
        name = f"test_{self._made}"
        self.run(f"CREATE DATABASE {name}")
        try:
            yield f"postgresql://churn@/{name}?host={quote(str(self._sockets), safe='')}"
        finally:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def run(self, statement: str) -> None:
        """Run one statement as the administrator."""
        with psycopg.connect(host=str(self._sockets), user="churn", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def postgres_server() -> Iterator[Server]:
    """Start a server of our own; skip with a reason where there are no programs to start."""
    programs = find_programs()
    # Short and outside pytest's folders: a socket's path has 107 characters at most, and the server's user must get there.
    folder = Path(tempfile.mkdtemp(prefix="churn-pg-"))
    try:
        as_user = _somebody_but_root(folder)
        _run([*as_user, programs / "initdb", "--no-sync", "--auth=trust", "--username=churn", "-E", "UTF8", "--locale=C"], folder)
        # A time zone that is not UTC, so that times which lose their zone show up.
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c timezone=Asia/Kolkata"
        _run([*as_user, programs / "pg_ctl", "--wait", "--log", folder / "log", "-o", options, "start"], folder)
        try:
            yield Server(folder)
        finally:
            _run([*as_user, programs / "pg_ctl", "--wait", "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder)


def find_programs() -> Path:
    """Give the folder of the server programs; skip with a reason where there is none."""
    versions = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    found = shutil.which("initdb")
    if found is None:
        pytest.skip(HOW_TO_GET_IT)
    return Path(found).resolve().parent


def _somebody_but_root(folder: Path) -> list[str]:
    """Give the words to put before a command: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    everybody = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in everybody), None)
    if user is None or shutil.which("runuser") is None:
        pytest.skip("PostgreSQL refuses to run as root, and there is no user postgres or nobody, or no runuser, to run it as")
    shutil.chown(folder, user)
    return ["runuser", "-u", user, "--"]


def _run(command: list[str | Path], folder: Path) -> None:
    # A file, not a pipe: the server that pg_ctl starts inherits it, and the pipe would never end.
    with (folder / "output").open("ab+") as output:
        done = subprocess.run(
            [str(part) for part in command],
            env={**os.environ, "PGDATA": str(folder / "data")},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=120,
        )
        output.seek(0)
        if done.returncode != 0:
            pytest.fail(f"{command} failed:\n{output.read().decode(errors='replace')[-2000:]}")
