"""A system that runs is not restored over: by its lock, or by a database that somebody has open."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from churn.errors import InputError
from churn.file_lock import try_lock
from pipelines.backup.running import UP_LOCK, stopped

# A program that keeps a database open until its input ends.
OPEN = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("select count(*) from t")
print(flush=True)
sys.stdin.read()
"""


def write_database(path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = wal")
    connection.execute("create table t (x)")
    connection.close()
    return path


def test_a_stopped_system_is_let_through_and_cannot_start_meanwhile(tmp_path: Path) -> None:
    (tmp_path / UP_LOCK).write_text("4711")
    database = write_database(tmp_path / "store.db")
    with stopped(tmp_path, [database, tmp_path / "absent.db"]), (tmp_path / UP_LOCK).open("rb") as other:
        assert not try_lock(other)
    with (tmp_path / UP_LOCK).open("rb") as other:
        assert try_lock(other)


def test_a_home_without_a_lock_is_let_through(tmp_path: Path) -> None:
    with stopped(tmp_path, []):
        assert not (tmp_path / UP_LOCK).exists()


def test_a_system_that_runs_is_refused_with_its_process(tmp_path: Path) -> None:
    (tmp_path / UP_LOCK).write_text("4711")
    with (tmp_path / UP_LOCK).open("rb") as held:
        assert try_lock(held)
        with pytest.raises(InputError, match=r"a churn runs here \(process 4711\); stop it first"), stopped(tmp_path, []):
            pass


@pytest.mark.parametrize("locked", [True, False])
def test_a_database_that_another_program_has_open_is_refused(tmp_path: Path, locked: bool) -> None:
    if locked:
        (tmp_path / UP_LOCK).write_text("4711")
    database = write_database(tmp_path / "store.db")
    with subprocess.Popen([sys.executable, "-I", "-c", OPEN, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline(), "it has the database open"
        with pytest.raises(InputError, match=r"store\.db: another program has it open"), stopped(tmp_path, [database]):
            pass
        other.communicate()
