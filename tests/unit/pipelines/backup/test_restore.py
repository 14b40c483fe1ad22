"""A backup put back: beside its place first, then all of it or nothing. (Archives made to harm: test_archive.py.)"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from churn.errors import ChurnError, InputError
from churn.file_lock import try_lock
from pipelines.backup import restore
from pipelines.backup.archive import Database
from pipelines.backup.backup import Places, make_backup
from pipelines.backup.restore import _Staging, restore_backup
from tests.unit.pipelines.backup.places import execute, files, filled, places_in, rows, write


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    made = tmp_path / "b.tar.gz"
    make_backup(filled(tmp_path / "source"), made)
    return made


@pytest.fixture
def target(tmp_path: Path) -> Places:
    return places_in(tmp_path / "deep" / "target")


WHOLE = {
    "artifacts/1/model.skops": "one",
    "mlflow.db": "",
    "models/churn/last-known-good.json": "one",
    "prefect/prefect.db": "",
    "spool/a.jsonl": "one",
    "store.db": "",
}


def test_all_parts_are_put_back_and_nothing_else(archive: Path, target: Places) -> None:
    manifest = restore_backup(target, archive)
    assert files(target.home) == WHOLE
    assert set(manifest.databases) == {"store", "registry", "prefect"}
    assert rows(target.store, "predictions") == rows(target.prefect, "flow_run") == ["one"]
    # At another place, the artifacts have another address.
    assert rows(target.registry, "runs") == [(target.home / "artifacts" / "1").as_uri()]
    assert (target.home / "spool").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("used", "named"),
    [
        (lambda home: write(home / "spool" / "x", "x"), "target/spool"),
        (lambda home: write(home / "models" / "x", "x"), "target/models"),
        (lambda home: write(home / "artifacts" / "x", "x"), "target/artifacts"),
        (lambda home: execute(f"sqlite:///{home}/store.db", "CREATE TABLE bills (n TEXT)"), "store"),
        (lambda home: execute(f"sqlite:///{home}/mlflow.db", "CREATE TABLE bills (n TEXT)"), "registry"),
        (lambda home: execute(f"sqlite:///{home}/prefect/prefect.db", "CREATE TABLE bills (n TEXT)"), "prefect"),
    ],
)
def test_what_is_there_is_named_and_replaced_only_if_said(
    archive: Path, target: Places, used: Callable[[Path], object], named: str
) -> None:
    used(target.home)
    before = files(target.home)
    with pytest.raises(InputError, match=f"not empty: .*{named}; replace what is there with --overwrite"):
        restore_backup(target, archive)
    assert files(target.home) == before
    restore_backup(target, archive, overwrite=True)
    assert files(target.home) == WHOLE
    assert rows(target.store, "predictions") == ["one"]


def test_empty_folders_are_no_reason_to_refuse(archive: Path, target: Places) -> None:
    for name in ("spool", "models", "artifacts"):
        (target.home / name).mkdir(parents=True)
    restore_backup(target, archive)
    assert files(target.home) == WHOLE


def test_a_file_that_is_no_database_is_there_too(archive: Path, target: Places) -> None:
    write(target.home / "store.db", "half of something" * 100)
    with pytest.raises(InputError, match="not empty: store; replace what is there with --overwrite"):
        restore_backup(target, archive)
    restore_backup(target, archive, overwrite=True)
    assert rows(target.store, "predictions") == ["one"]


IN_WAL_MODE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("SELECT * FROM predictions").fetchall()
print("open", flush=True)
sys.stdin.read()
"""


def test_a_store_that_another_program_has_open_is_not_replaced_under_it(archive: Path, target: Places) -> None:
    filled(target.home, "two")
    command = [sys.executable, "-c", IN_WAL_MODE, str(target.home / "store.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(InputError, match=r"store.db: another program has it open; stop what uses it first"):
            restore_backup(target, archive, overwrite=True)
        assert not list(target.home.glob(".restore*"))
        other.communicate()
    assert rows(target.store, "predictions") == ["two"]
    restore_backup(target, archive, overwrite=True)
    assert rows(target.store, "predictions") == ["one"]


def test_a_home_in_which_the_system_runs_is_refused(archive: Path, target: Places) -> None:
    filled(target.home, "two")
    with (target.home / "up.lock").open("wb") as lock:
        lock.write(b"4711")
        lock.flush()
        assert try_lock(lock)
        with pytest.raises(InputError, match=r"target: a churn runs here \(process 4711\); stop it first"):
            restore_backup(target, archive, overwrite=True)
    assert rows(target.store, "predictions") == ["two"]
    restore_backup(target, archive, overwrite=True)


def test_what_the_backup_has_none_of_is_not_there_afterwards(tmp_path: Path, target: Places) -> None:
    source = filled(tmp_path / "source")
    (source.home / "spool" / "a.jsonl").unlink()
    make_backup(source, tmp_path / "b.tar.gz")
    filled(target.home, "two")
    for name in ("store.db-wal", "store.db-shm", "store.db-journal"):
        write(target.home / name, "of the database before")
    restore_backup(target, tmp_path / "b.tar.gz", overwrite=True)
    assert files(target.home) == {name: text for name, text in WHOLE.items() if not name.startswith("spool")}


def test_a_part_that_is_left_out_stays_as_it_was(archive: Path, target: Places) -> None:
    filled(target.home, "two")
    restore_backup(replace(target, registry=None, prefect=None), archive, overwrite=True)
    assert files(target.home)["artifacts/1/model.skops"] == "two"
    assert (rows(target.store, "predictions"), rows(target.prefect, "flow_run")) == (["one"], ["two"])
    assert not list(target.home.glob(".*"))


@pytest.mark.parametrize("which", range(1, 13))
def test_a_move_that_fails_leaves_everything_as_it_was(
    archive: Path, target: Places, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """Six parts are there, and six are moved to their places: each of the twelve moves fails once."""
    filled(target.home, "two")
    before, moved, rename = files(target.home), [], Path.rename

    def fails(self: Path, to: Path) -> Path:
        moved.append(to)
        if len(moved) == which:
            raise OSError(30, "Read-only file system")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(ChurnError, match=r"could not be moved into place, and are as they were: .*Read-only"):
        restore_backup(target, archive, overwrite=True)
    assert files(target.home) == before
    assert rows(target.store, "predictions") == ["two"]


def test_an_interrupted_move_leaves_everything_as_it_was_and_is_no_error_of_ours(
    archive: Path, target: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(target.home, "two")
    before, rename = files(target.home), Path.rename

    def stopped(self: Path, to: Path) -> Path:
        if self.name.startswith(".models.restore"):
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        restore_backup(target, archive, overwrite=True)
    assert files(target.home) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("which", [1, 6, 12])
def test_who_stops_it_among_the_moves_is_late(
    archive: Path, target: Places, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, which: int
) -> None:
    """Between a move and the note that it was made, as Python would have it: it could not be moved back."""
    filled(target.home, "two")
    moved, rename = [], Path.rename

    def then_stopped(self: Path, to: Path) -> Path:
        there = rename(self, to)
        moved.append(to)
        if len(moved) == which:
            signal.raise_signal(number)
        return there

    monkeypatch.setattr(Path, "rename", then_stopped)
    before = signal.signal(number, signal.default_int_handler)
    try:
        restore_backup(target, archive, overwrite=True)
        assert signal.getsignal(number) is signal.default_int_handler, "afterwards it can be stopped again"
    except KeyboardInterrupt:
        pytest.fail("it was stopped among the moves")
    finally:
        signal.signal(number, before)
    assert rows(target.store, "predictions") == ["one"]
    assert not [path for path in target.home.parent.rglob(".*") if ".before-" in path.name or ".restore-" in path.name]


def test_it_is_unpacked_beside_its_place_and_not_in_the_temporary_folder_of_the_system(
    archive: Path, target: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []
    made = tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **given: asked.append(given) or made(**given))
    (target.home / ".restore-killed").mkdir(parents=True)
    restore_backup(target, archive)
    assert {"dir": target.home, "prefix": restore.WORK} in asked
    assert not list(target.home.glob(".restore-*"))


def test_a_backup_that_is_not_there_makes_no_folder(target: Places, tmp_path: Path) -> None:
    for source, said in ((tmp_path / "none", "no such file"), (tmp_path, "is no file; name the backup itself")):
        with pytest.raises(InputError, match=said):
            restore_backup(target, source)
    assert not target.home.parent.exists()


def test_a_refused_backup_leaves_the_folders_that_others_use(tmp_path: Path, target: Places) -> None:
    (tmp_path / "broken.tar.gz").write_bytes(b"broken")
    target.home.parent.mkdir()
    with pytest.raises(InputError):
        restore_backup(target, tmp_path / "broken.tar.gz")
    assert not target.home.exists()
    assert target.home.parent.exists()


def test_rows_that_are_not_those_of_the_manifest_stop_the_restore(
    archive: Path, target: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(_url: str, expected: Database) -> None:
        if "predictions" in expected.rows:
            raise ChurnError("the restored database is not what was backed up")

    monkeypatch.setattr(restore, "check_rows", wrong)
    with pytest.raises(ChurnError, match="not what was backed up"):
        restore_backup(target, archive)
    assert not target.home.exists()


class Postgres:
    """Stands for databases on a server: notes what is asked of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, ...]] = []
        monkeypatch.setattr(restore, "restore_postgres", lambda url, path: self.asked.append(("restore", url, path.name)))
        monkeypatch.setattr(restore, "check_rows", lambda url, _expected: self.asked.append(("check", url)))
        monkeypatch.setattr(restore, "move_artifacts", lambda url, old, new: self.asked.append(("move", url, old, new)))
        monkeypatch.setattr(restore, "is_in_use", lambda *_: False)
        monkeypatch.setattr(restore, "check_left_alone", lambda url: self.asked.append(("alone", url)))


def test_databases_on_a_server_are_replaced_checked_and_their_artifacts_moved(
    target: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, source = Postgres(monkeypatch), filled(tmp_path / "source")
    on_server = replace(target, store="postgresql://db/s", registry="postgresql://db/r", prefect=None)

    def dumped(_url: str, into: Path) -> Database:
        into.write_text("dump")
        return Database(kind="postgresql", server="17", revision=None, rows={})

    monkeypatch.setattr("pipelines.backup.backup.dump", dumped)
    made = replace(source, store="postgresql://db/1", registry="postgresql://db/2", prefect=None)
    make_backup(made, tmp_path / "b.tar.gz")
    restore_backup(on_server, tmp_path / "b.tar.gz")
    assert server.asked == [
        ("alone", "postgresql://db/s"),
        ("alone", "postgresql://db/s"),
        ("restore", "postgresql://db/s", "store"),
        ("check", "postgresql://db/s"),
        ("restore", "postgresql://db/r", "registry"),
        ("check", "postgresql://db/r"),
        ("move", "postgresql://db/r", made.artifact_root, on_server.artifact_root),
    ]
    assert files(target.home) == {name: text for name, text in WHOLE.items() if not name.endswith(".db")}


def test_a_backup_of_another_version_is_refused_before_anything_is_replaced(tmp_path: Path, target: Places) -> None:
    source = filled(tmp_path / "source")
    execute(source.store, "CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('9999')")
    make_backup(source, tmp_path / "later.tar.gz")
    filled(target.home, "old")
    before = files(target.home)
    with pytest.raises(
        InputError, match=r"another version of churn: its schema is 9999, .*; use the version of churn that made it"
    ):
        restore_backup(target, tmp_path / "later.tar.gz", overwrite=True)
    assert files(target.home) == before
    assert rows(target.store, "predictions") == ["old"]


def test_a_backup_of_another_kind_of_database_is_refused(archive: Path, target: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    Postgres(monkeypatch)
    with pytest.raises(InputError, match="the backup's store is sqlite, and postgresql is set up here"):
        restore_backup(replace(target, store="postgresql://db/s"), archive)


@pytest.mark.parametrize(
    "name", ["settings.py", "other/x", "store", "store.txt", "locks.sqlite", "store.sqlite/x", "store.sqlite-wal"]
)
def test_a_part_that_no_backup_has_has_no_place(target: Places, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="has no place here"):
        _Staging(target, tmp_path).place(name)


def test_parts_wait_beside_their_places(target: Places, tmp_path: Path) -> None:
    staging = _Staging(target, tmp_path / "work")
    waiting = staging.place("models/churn/x")
    assert (waiting.parent.parent.parent, waiting.name) == (target.home, "x")
    assert waiting.parent.parent.name.startswith(".models.restore-")
    assert staging.place("store.sqlite").parent == target.home
    assert list(staging.files) == ["store"]
    nothing = _Staging(replace(target, registry=None, prefect=None), tmp_path / "work")
    for name in ("registry.sqlite", "prefect.sqlite", "artifacts/1/x"):
        assert nothing.place(name) == tmp_path / "work" / "left-out" / name
    bucket = _Staging(replace(target, artifacts="s3://b"), tmp_path / "work")
    assert bucket.place("artifacts/1/x") == tmp_path / "work" / "left-out" / "artifacts/1/x"
    assert os.fspath(staging.old(target.home / "a")).startswith(f"{target.home}/.a.before-")
