"""What goes into a backup, from where, and in which order. (Systems in use, PostgreSQL: tests/integration.)"""

from __future__ import annotations

import os
import tarfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from churn.config.settings import Settings
from churn.errors import ChurnError, InputError
from pipelines.backup import backup
from pipelines.backup.archive import ArchiveWriter, Manifest
from pipelines.backup.backup import Places, find_places, make_backup, suffix
from pipelines.backup.databases import dump
from tests.unit.pipelines.backup.places import execute, filled, places_in, write


@pytest.fixture(autouse=True)
def no_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "CHURN_"))]:
        monkeypatch.delenv(name)


def names(file: Path) -> list[str]:
    with tarfile.open(file) as tar:
        return tar.getnames()


def find(
    home: Path, registry_url: str | None = None, artifacts: str | None = None, *, without: bool = False, **more: Any
) -> Places:
    return find_places(Settings(home=home, **more), registry_url, artifacts, without_registry=without)


def test_everything_lies_in_churn_home_unless_told(tmp_path: Path) -> None:
    assert find(tmp_path) == places_in(tmp_path)
    elsewhere = find(tmp_path, "sqlite:////r.db", "/a", store_url="sqlite:////s.db")
    assert (elsewhere.registry, elsewhere.artifacts, elsewhere.store) == ("sqlite:////r.db", "/a", "sqlite:////s.db")
    assert find(tmp_path, tracking_uri="sqlite:////t.db").registry == "sqlite:////t.db"


@pytest.mark.parametrize("server", ["http://mlflow:5000", "https://mlflow"])
def test_the_database_of_a_registry_that_is_a_server_must_be_named(tmp_path: Path, server: str) -> None:
    with pytest.raises(InputError, match="CHURN_REGISTRY_DATABASE_URL"):
        find(tmp_path, tracking_uri=server)
    assert find(tmp_path, tracking_uri=server, registry_database_url="postgresql://db/m").registry == "postgresql://db/m"
    assert find(tmp_path, "postgresql://x/m", tracking_uri=server, registry_database_url="postgresql://db/m").registry == (
        "postgresql://x/m"
    )
    assert find(tmp_path, tracking_uri=server, without=True).registry is None
    assert find(tmp_path, "postgresql://x/m", without=True).registry is None


def test_prefects_database_is_in_its_home_and_a_servers_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", "/elsewhere")
    assert find(tmp_path).prefect == "sqlite:////elsewhere/prefect.db"
    for name in ("PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "postgresql://db/prefect")
            assert find(tmp_path).prefect is None


def test_artifacts_are_in_a_bucket_or_in_a_folder_of_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = places_in(tmp_path)
    bucket = replace(places, artifacts="s3://bucket/models/")
    assert (bucket.artifact_folder, bucket.artifact_root) == (None, "s3://bucket/models")
    monkeypatch.chdir(tmp_path)
    here = replace(places, artifacts="here")
    assert (here.artifact_folder, here.artifact_root) == (Path.cwd() / "here", (Path.cwd() / "here").as_uri())


def test_a_backup_holds_all_parts_in_the_order_that_fits_together(tmp_path: Path) -> None:
    places, file = filled(tmp_path / "home"), tmp_path / "b.tar.gz"
    manifest = make_backup(places, file)
    assert names(file) == [
        *("spool/a.jsonl", "store.sqlite", "registry.sqlite", "prefect.sqlite"),
        *("artifacts/1/model.skops", "models/churn/last-known-good.json", "manifest.json"),
    ]
    assert set(manifest.parts) == set(names(file)) - {"manifest.json"}
    assert {name: database.rows for name, database in manifest.databases.items()} == {
        "store": {"predictions": 1},
        "registry": {"runs": 1},
        "prefect": {"flow_run": 1},
    }
    assert abs(datetime.now(UTC) - manifest.made_at) < timedelta(minutes=5)
    assert set(manifest.versions) == {"churn", "mlflow", "python"}
    assert manifest.artifact_root == (tmp_path / "home" / "artifacts").as_uri()
    assert manifest.artifacts_elsewhere == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "home"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_passing_or_hidden_is_left_out(tmp_path: Path) -> None:
    places = filled(tmp_path / "home")
    for folder in ("spool", "models"):
        for name in ("a.lock", "b.tmp", "c.new", ".d", ".e/f"):
            write(places.home / folder / name, "passing")
    # Other people's names.
    write(places.home / "artifacts" / "1" / "a.lock", "a model's own")
    parts = make_backup(places, tmp_path / "b.tar.gz").parts
    assert sorted(name for name in parts if "sqlite" not in name) == [
        *("artifacts/1/a.lock", "artifacts/1/model.skops", "models/churn/last-known-good.json", "spool/a.jsonl"),
    ]


def test_without_a_registry_its_artifacts_stay_away_too(tmp_path: Path) -> None:
    manifest = make_backup(replace(filled(tmp_path / "home"), registry=None, prefect=None), tmp_path / "b.tar.gz")
    assert set(manifest.databases) == {"store"}
    assert not any(name.startswith("artifacts/") for name in manifest.parts)


def test_artifacts_in_a_bucket_are_named_and_not_copied(tmp_path: Path) -> None:
    manifest = make_backup(replace(filled(tmp_path / "home"), artifacts="s3://b/x/"), tmp_path / "b.tar.gz")
    assert (manifest.artifacts_elsewhere, manifest.artifact_root) == ("s3://b/x/", "s3://b/x")
    assert not any(name.startswith("artifacts/") for name in manifest.parts)


def test_a_database_that_was_not_made_yet_is_left_out(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    execute(places.store, "CREATE TABLE predictions (id TEXT)")
    assert set(make_backup(places, tmp_path / "b.tar.gz").databases) == {"store"}


def test_of_two_backups_into_one_file_the_first_to_end_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places, file = filled(tmp_path / "home"), tmp_path / "b.tar.gz"
    finish = ArchiveWriter.finish

    def finish_second(archive: ArchiveWriter, manifest: Manifest) -> None:
        file.write_text("of the other")
        finish(archive, manifest)

    monkeypatch.setattr(ArchiveWriter, "finish", finish_second)
    with pytest.raises(InputError, match="is there already: another backup was made meanwhile"):
        make_backup(places, file)
    assert file.read_text() == "of the other"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_backup_overwrites_nothing_and_makes_no_folder(tmp_path: Path) -> None:
    places, file = filled(tmp_path / "home"), tmp_path / "b.tar.gz"
    file.write_text("older")
    with pytest.raises(InputError, match=r"b\.tar\.gz is there already"):
        make_backup(places, file)
    assert file.read_text() == "older"
    with pytest.raises(InputError, match=r"there is no folder .*nowhere"):
        make_backup(places, tmp_path / "nowhere" / "b.tar.gz")
    assert not (tmp_path / "nowhere").exists()


def test_a_disk_that_gives_up_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "dump", full)
    with pytest.raises(ChurnError, match=r"the backup cannot be written: .*No space left"):
        make_backup(filled(tmp_path / "home"), tmp_path / "b.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_the_ending_of_a_part_tells_the_kind_of_database() -> None:
    assert (suffix("sqlite"), suffix("postgresql")) == ("sqlite", "pgdump")


def test_a_home_with_nothing_in_it_makes_no_backup(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing to back up in .*/misspelled: is CHURN_HOME right"):
        make_backup(places_in(tmp_path / "misspelled"), tmp_path / "b.tar.gz")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_backup_left_is_removed_and_lies_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places, target = filled(tmp_path / "home"), tmp_path / "backups"
    left = target / f"{backup.WORK}killed"
    left.mkdir(parents=True)
    (left / "store").write_text("customers")
    seen: list[str] = []

    def look(url: str, into: Path) -> Any:
        seen.extend(path.name for path in target.iterdir())
        return dump(url, into)

    monkeypatch.setattr(backup, "dump", look)
    make_backup(places, target / "b.tar.gz")
    assert seen
    assert all(name.startswith(backup.WORK) for name in seen)
    assert left.name not in seen
    assert [path.name for path in target.iterdir()] == ["b.tar.gz"]
