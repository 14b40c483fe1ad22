"""`churn backup` and `churn restore`: what they are given, and what they say."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.unit.pipelines.backup.places import execute, filled, rows
from tests.unit.pipelines.cli.command import Churn, assert_one_line


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A system with something of everything, in CHURN_HOME."""
    (tmp_path / "home").mkdir()
    places = filled(tmp_path / "home")
    execute(places.store, "CREATE TABLE outcomes (id TEXT)", "CREATE TABLE locks (id TEXT)", "INSERT INTO locks VALUES ('x')")
    return places.home


def test_a_backup_is_a_file_of_its_own_in_the_folder(churn: Churn, home: Path, tmp_path: Path) -> None:
    said = churn("backup", "backups")
    (made,) = (tmp_path / "backups").iterdir()
    assert re.fullmatch(r"churn-\d{8}T\d{6}Z\.tar\.gz", made.name)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"backups/{made.name}: {made.stat().st_size:,} bytes",
        "store (sqlite): 1 predictions",
        "registry (sqlite): 1 runs",
        "prefect (sqlite): 1 flow_run",
        *(f"{kind}: 1 files, 3 bytes" for kind in ("artifacts", "models", "spool")),
    ]


def test_a_name_that_ends_as_one_is_the_files_own(churn: Churn, home: Path, tmp_path: Path) -> None:
    said = churn("backup", "mine.tar.gz", "--json")
    assert (said.json["file"], said.json["bytes"]) == ("mine.tar.gz", (tmp_path / "mine.tar.gz").stat().st_size)
    assert said.json["rows"]["store"] == {"predictions": 1, "locks": 1}
    assert said.json["parts"]["models"] == {"files": 1, "bytes": 3}


def test_what_is_not_in_the_file_is_warned_of(churn: Churn, home: Path) -> None:
    said = churn("backup", "a.tar.gz", "--without-registry")
    assert said.err == "the registry is not in this file\n"
    assert "registry" not in said.out
    said = churn("backup", "b.tar.gz", "--artifacts", "s3://bucket/x")
    assert said.err == "the models themselves lie in s3://bucket/x, and are not in this file\n"
    execute("sqlite:///other.db", "CREATE TABLE runs (artifact_uri TEXT)")
    assert "registry (sqlite): no rows" in churn("backup", "c.tar.gz", "--registry-url", "sqlite:///other.db").out


def test_what_cannot_be_written_is_one_line(churn: Churn, home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "is-there.tar.gz").touch()
    assert_one_line(churn("backup", "file"), 2, "file: no folder for backups (File exists)")
    assert_one_line(churn("backup", "is-there.tar.gz"), 2, "is there already")
    assert churn("backup", "deep/er").code == 0


def test_a_restore_says_of_when_it_is_and_overwrites_only_if_told(churn: Churn, home: Path, tmp_path: Path) -> None:
    churn("backup", "b.tar.gz")
    assert_one_line(churn("restore", "b.tar.gz"), 2, "--overwrite")
    os.environ["CHURN_HOME"] = "elsewhere"
    said = churn("restore", "b.tar.gz")
    assert (said.code, said.err) == (0, "")
    first, *rest = said.out.splitlines()
    assert re.fullmatch(rf"restored into {tmp_path}/elsewhere, as it was at \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC", first)
    assert "store (sqlite): 1 predictions" in rest
    assert rows(f"sqlite:///{tmp_path}/elsewhere/store.db", "predictions") == ["one"]
    told = churn("restore", "b.tar.gz", "--overwrite", "--json").json
    assert (told["home"], told["rows"]["prefect"]) == (f"{tmp_path}/elsewhere", {"flow_run": 1})


def test_a_restore_leaves_the_registry_where_it_is_told_to(churn: Churn, home: Path, tmp_path: Path) -> None:
    churn("backup", "b.tar.gz")
    os.environ["CHURN_HOME"] = "one"
    assert churn("restore", "b.tar.gz", "--without-registry").code == 0
    assert not (tmp_path / "one" / "mlflow.db").exists()
    os.environ["CHURN_HOME"] = "two"
    places = ("--registry-url", "sqlite:///r.db", "--artifacts", tmp_path / "art")
    assert churn("restore", "b.tar.gz", *places).code == 0
    assert rows("sqlite:///r.db", "runs") == [(tmp_path / "art" / "1").as_uri()]
    assert (tmp_path / "art" / "1" / "model.skops").exists()
