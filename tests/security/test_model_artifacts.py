"""Attacks through a model artifact and registry entries (pickles and types: tests/unit/churn/registry/test_artifact.py)."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from churn.config.settings import Settings
from churn.errors import ModelRefused
from churn.registry.artifact import CARD_FILE, INFO_FILE, MLMODEL_FILE, PIPELINE_FILE, artifact_folder, digest_folder, load_folder
from churn.registry.last_known_good import save_last_known_good
from churn.registry.serialization import dump_pipeline
from churn.registry.source_checks import MAX_FILES, check_address, find_files
from service.model_loading.bundle import MAX_BYTES, read_bundle
from service.model_loading.loader_process import check_signature
from tests.unit.service.fakes import make_model

MODEL = make_model("1")
CONTENT = dump_pipeline(MODEL.pipeline)
MLFLOW = "http://mlflow:5000"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "artifact"
    made.mkdir()
    (made / INFO_FILE).write_text(MODEL.info.model_dump_json())
    (made / PIPELINE_FILE).write_bytes(CONTENT)
    (made / CARD_FILE).write_text("# Model card: churn\n")
    return made


def repacked(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as old, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        for name, data in members.items():
            new.writestr(name, data)
    return content.getvalue()


@pytest.mark.parametrize("name", [INFO_FILE, PIPELINE_FILE, CARD_FILE])
def test_a_link_out_of_the_artifact_is_not_followed(folder: Path, tmp_path: Path, name: str) -> None:
    assert load_folder(folder, "1").card
    secret = tmp_path / "secret"
    secret.write_bytes((folder / name).read_bytes())
    (folder / name).unlink()
    (folder / name).symlink_to(secret)
    with pytest.raises(ModelRefused, match="no plain file"):
        load_folder(folder, "1")
    with pytest.raises(ModelRefused, match="no plain file"):
        digest_folder(folder)


def test_a_linked_folder_and_a_pipe_are_not_read(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / CARD_FILE).rename(elsewhere / CARD_FILE)
    (folder / "deep").symlink_to(elsewhere)
    assert load_folder(folder, "1").card == ""
    (folder / PIPELINE_FILE).unlink()
    os.mkfifo(folder / PIPELINE_FILE)  # who opened it would wait for ever
    with pytest.raises(ModelRefused, match="no plain file"):
        load_folder(folder, "1")


def test_a_bomb_is_refused_before_it_is_unpacked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("churn.registry.artifact.MAX_PIPELINE_BYTES", 8 * 2**20)
    (folder / PIPELINE_FILE).write_bytes(repacked(bomb=bytes(9 * 2**20)))
    assert (folder / PIPELINE_FILE).stat().st_size < 100_000
    with pytest.raises(ModelRefused, match="unpacks to more than 8 MiB"):
        load_folder(folder, "1")
    monkeypatch.setattr("churn.registry.artifact.MAX_PIPELINE_PARTS", 50)
    (folder / PIPELINE_FILE).write_bytes(repacked(**{str(n): b"" for n in range(51)}))
    with pytest.raises(ModelRefused, match="50 parts"):
        load_folder(folder, "1")


def test_a_part_that_is_larger_than_the_archive_says_gives_no_more(folder: Path) -> None:
    # The size that is checked is in the archive's directory. Lied about, the part ends there, or its checksum is wrong.
    archive = bytearray(repacked(schema=b"x"))
    place = archive.rindex(b"schema.json") - 46
    assert archive[place : place + 4] == b"PK\x01\x02"
    archive[place + 24 : place + 28] = (10).to_bytes(4, "little")
    (folder / PIPELINE_FILE).write_bytes(bytes(archive))
    with pytest.raises(ModelRefused):
        load_folder(folder, "1")


def test_texts_without_end_are_refused(folder: Path) -> None:
    for name in (INFO_FILE, CARD_FILE):
        kept = (folder / name).read_bytes()
        with (folder / name).open("wb") as file:
            file.truncate(17 * 2**20)
        with pytest.raises(ModelRefused, match=rf"{name} is larger than 16 MiB"):
            load_folder(folder, "1")
        (folder / name).write_bytes(kept)


def test_names_in_the_archive_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    evil = {"../../escaped": b"x", "/tmp/churn-escaped": b"x", "a/../../escaped": b"x"}  # noqa: S108 -- nothing is written there
    (folder / PIPELINE_FILE).write_bytes(repacked(**evil))
    before = sorted(tmp_path.rglob("*"))
    load_folder(folder, "1")
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/churn-escaped").exists()  # noqa: S108


def test_a_signature_cannot_explode_or_make_objects(folder: Path, contract: Any) -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    merges = "m0: &m0 {x: 1}\n" + "".join(f"m{n}: &m{n}\n  <<: [*m{n - 1}, *m{n - 1}]\n" for n in range(1, 40))
    for said in (laughs, merges, "!!python/object/apply:os.system ['true']", "[" * 1_000, "a: &a [*a]"):
        (folder / MLMODEL_FILE).write_text(said)
        with pytest.raises(ModelRefused, match="signature of version 1 cannot be read"):
            check_signature(folder, MODEL, contract)


@pytest.mark.parametrize("said", ["../../../../etc", "/etc", "..", "a/b", "x\x00y", "\\..\\x", "ünïcode", ""])
def test_what_a_registry_calls_a_run_is_no_path(tmp_path: Path, said: str) -> None:
    settings = Settings(home=tmp_path / "home")
    models = settings.home / "models" / "churn"
    for folder in (artifact_folder(settings, "1", said), artifact_folder(settings, said, "r")):
        assert folder.parent == models
        assert folder.name not in (".", "..")
        assert "/" not in folder.name
    # A pointer that was tampered with is read as carefully.
    save_last_known_good(settings, MODEL)
    assert [file.name for file in models.iterdir()] == ["last-known-good.json"]


@pytest.mark.parametrize(
    "address",
    [
        *(
            "http://169.254.169.254/latest/meta-data",
            "https://mlflow.evil.example/a",
            "http://mlflow:5001/a",
            "https://mlflow:5000/a",
        ),
        *(
            "http://mlflow:5000@evil.example/a",
            "http://mlflow:5000.evil.example/",
            "ftp://mlflow/a",
            "sftp://mlflow/a",
            "hdfs://mlflow/a",
        ),
        *("dbfs:/a", "file://fileserver/share", "gopher://mlflow:5000/", "jar:file:///a", "mlflow-artifacts://evil.example/a"),
    ],
)
def test_no_other_server_is_asked_on_a_registrys_word(address: str) -> None:
    with pytest.raises(ModelRefused, match="where no model is fetched from"):
        check_address(address, MLFLOW, "7")


def test_models_are_fetched_from_where_they_may_lie(folder: Path) -> None:
    for address in (
        f"{MLFLOW}/api/2.0/mlflow-artifacts/artifacts/0/m",
        "s3://bucket/m",
        "gs://bucket/m",
        folder.as_uri(),
        str(folder),
    ):
        check_address(address, f"http://user:password@{MLFLOW.removeprefix('http://')}", "7")


def test_a_local_artifact_with_links_is_refused_before_it_is_copied(folder: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "harmless.py").symlink_to("/etc/passwd")
    with pytest.raises(ModelRefused, match="links"):
        check_address(folder.as_uri(), "sqlite:///mlflow.db", "7")


def test_what_is_no_small_folder_with_a_model_is_not_fetched() -> None:
    with pytest.raises(ModelRefused, match="is no model"):
        find_files(lambda _path: [("shadow", False, 1), ("ssl", True, 0)], "7")
    asked: list[str | None] = []

    def without_end(path: str | None) -> list[tuple[str, bool, int]]:
        asked.append(path)
        return [(MLMODEL_FILE, False, 10), (f"{path}/x", True, 0), (f"{path}/y", True, 0)]

    with pytest.raises(ModelRefused, match="files"):
        find_files(without_end, "7")
    assert len(asked) <= MAX_FILES + 1
    with pytest.raises(ModelRefused, match="MiB"):
        find_files(lambda _path: [(MLMODEL_FILE, False, 2**40)], "7")


def test_a_bundle_without_end_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "bundle.json"
    with file.open("wb") as huge:
        huge.truncate(MAX_BYTES + 1)
    with pytest.raises(ModelRefused, match="larger than 256 MiB"):
        read_bundle(file)
    file.write_bytes(b"0" * 64 + b"\n" + b"[" * 100_000)
    with pytest.raises(ModelRefused):
        read_bundle(file)
