"""Run a PostgreSQL server of our own in a folder: for tests and benchmarks that start, stop, stall or fill one."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import psycopg

from churn.errors import ChurnError
from pipelines.backup.postgres_tools import find_program

HOW_TO_GET_IT = "needs PostgreSQL's server programs: apt-get install -y postgresql"
# No fsync: what dies here are processes, never the machine. A time zone that is not UTC, so that times which lose theirs show up.
OPTIONS = {"listen_addresses": "", "fsync": "off", "timezone": "Asia/Kolkata"}
StopMode = Literal["smart", "fast", "immediate"]


class NotHere(ChurnError):
    """What is needed to run it is not on this machine; the message says what, and how to get it."""


class Cluster:
    """A server in a folder, on a socket there and on no port. Its databases are made and dropped through `database`.

    Parameters
    ----------
    folder : Path
        Short (a socket's path has 107 characters at most), and where another user may go.
    options : dict
        Settings of the server, over `OPTIONS`.
    initdb : list of str
        More words for `initdb`.
    """

    def __init__(self, folder: Path, options: dict[str, str] | None = None, initdb: Sequence[str] = ()) -> None:
        self.folder, self.data = folder, folder / "data"
        self._programs, self._as_user = find_programs(), somebody_but_root(folder)
        self._options = OPTIONS | (options or {})
        self._made = 0
        words = ["--no-sync", "--auth=trust", "--username=churn", "-E", "UTF8", "--locale=C"]
        self._run("initdb", *words, *initdb)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = " ".join([f"-k {self.folder}", *(f"-c {name}={value}" for name, value in self._options.items())])
        self._run("pg_ctl", "--wait", "--log", str(self.folder / "log"), "-o", options, "start")

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop it: `fast` cuts connections, `immediate` is a crash."""
        self._run("pg_ctl", "--wait", "-m", mode, "stop")

    def signal(self, number: signal.Signals) -> int:
        """Send a signal to the server's processes.

        Parameters
        ----------
        number : signal.Signals
            SIGSTOP lets them answer nothing until SIGCONT.

        Returns
        -------
        int
            How many processes there are.
        """
        postmaster = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        family = [postmaster, *map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())]
        for pid in family:
            with suppress(ProcessLookupError):  # one that the postmaster, woken first, has ended
                os.kill(pid, number)
        return len(family)

    def run(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the administrator.

        Parameters
        ----------
        statement : str
            SQL.
        database : str

        Returns
        -------
        list of tuple
            Its rows, if it has any.
        """
        with self.connect(database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """Connect as the administrator; each statement is committed at once."""
        return psycopg.connect(host=str(self.folder), user="churn", dbname=database, autocommit=True)

    def url(self, database: str, sockets: Path | None = None) -> str:
        """Return the SQLAlchemy URL of a database.

        Parameters
        ----------
        database : str
        sockets : Path, optional
            Folder of another socket that leads to the server.

        Returns
        -------
        str
        """
        return f"postgresql://churn@/{database}?host={quote(str(sockets or self.folder), safe='')}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """An empty database for a `with` block, as a SQLAlchemy URL."""
        self._made += 1
        name = f"test_{self._made}"
        self.run(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _run(self, program: str, *words: str) -> None:
        # A file, not a pipe: the server that pg_ctl starts inherits it, and the pipe would never end.
        with (self.folder / "output").open("ab+") as output:
            done = subprocess.run(  # noqa: S603 -- PostgreSQL's own programs
                [*self._as_user, str(self._programs / program), *words],
                env={**os.environ, "PGDATA": str(self.data)},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=120,
            )
            output.seek(0)
            if done.returncode != 0:
                raise ChurnError(f"{program} failed: {output.read().decode(errors='replace')[-2000:]}")


@contextmanager
def running_cluster(options: dict[str, str] | None = None, where: Path | None = None) -> Iterator[Cluster]:
    """Run a server in a new folder until the block ends.

    Parameters
    ----------
    options : dict, optional
        Settings of the server, over `OPTIONS`.
    where : Path, optional
        Folder to make the new one in.

    Yields
    ------
    Cluster

    Raises
    ------
    NotHere
        If this machine has no PostgreSQL.
    """
    folder = Path(tempfile.mkdtemp(prefix="churn-pg-", dir=where))
    try:
        cluster = Cluster(folder, options)
        cluster.start()
        try:
            yield cluster
        finally:
            end(cluster)
    finally:
        shutil.rmtree(folder)


def end(cluster: Cluster) -> None:
    """Stop a server for good, whatever was done to it."""
    if (cluster.data / "postmaster.pid").exists():
        cluster.signal(signal.SIGCONT)
        cluster.stop("immediate")


def find_programs() -> Path:
    """Return the folder of the server programs; `NotHere` if there is none."""
    try:
        return find_program("initdb").resolve().parent
    except ChurnError as missing:
        raise NotHere(HOW_TO_GET_IT) from missing


def somebody_but_root(folder: Path) -> list[str]:
    """Give the words to put before a command: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    everybody = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in everybody), None)
    if user is None or shutil.which("runuser") is None:
        raise NotHere("PostgreSQL refuses to run as root, and there is no user postgres or nobody, or no runuser, to run it as")
    shutil.chown(folder, user)
    return ["runuser", "-u", user, "--"]
