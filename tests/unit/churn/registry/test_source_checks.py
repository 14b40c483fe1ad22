"""Where a registry may say that an artifact lies, and what may lie there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from churn.errors import ModelRefused
from churn.registry.source_checks import MAX_BYTES, MAX_FILES, Entry, check_address, find_files

SERVER = "http://mlflow:5000"


@pytest.mark.parametrize(
    ("address", "server"),
    [
        *((f"{scheme}://bucket/7", SERVER) for scheme in ("s3", "gs", "wasb", "wasbs", "abfss", "r2")),
        ("http://mlflow:5000/api/2.0/mlflow-artifacts/artifacts/7", SERVER),
        ("http://MLFLOW:5000/7", SERVER),
        ("http://ada:secret@mlflow:5000/7", SERVER),
        ("http://mlflow:5000/7", "http://ada:secret@mlflow:5000"),
        ("https://mlflow/7", "https://mlflow"),
    ],
)
def test_buckets_and_the_server_of_the_settings_are_asked(address: str, server: str) -> None:
    check_address(address, server, "7")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://169.254.169.254/latest", "http://169.254.169.254"),
        ("https://mlflow:5000/7", "https://mlflow:5000"),
        ("http://mlflow:5001/7", "http://mlflow:5001"),
        ("http://mlflow:5000@evil.example/7", "http://evil.example"),
        ("ftp://mlflow:5000/7", "ftp://mlflow:5000"),
        ("hdfs://name/7", "hdfs://name"),
        ("file://other-host/etc", "file://other-host"),
    ],
)
def test_any_other_place_is_refused_and_no_password_is_shown(address: str, shown: str) -> None:
    with pytest.raises(ModelRefused, match=f"version 7 is said to lie at '{shown}', where no model is fetched from"):
        check_address(address, SERVER, "7")


def test_a_server_of_another_scheme_is_no_server_of_the_settings() -> None:
    with pytest.raises(ModelRefused):
        check_address("ftp://mlflow/7", "ftp://mlflow", "7")


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "with blank"
    (folder / "code").mkdir(parents=True)
    (folder / "MLmodel").touch()
    (folder / "code" / "a.py").touch()
    return folder


@pytest.mark.parametrize("spell", [Path.as_uri, str, lambda path: path.as_uri().replace("file://", "file://localhost")])
def test_a_folder_of_this_machine_without_links_is_read(spell: Callable[[Path], str], artifact: Path) -> None:
    check_address(spell(artifact), SERVER, "7")


@pytest.mark.parametrize("place", ["secrets", "code/passwd", "code/deep/folder"])
def test_a_link_anywhere_in_a_folder_is_refused(place: str, artifact: Path) -> None:
    (artifact / place).parent.mkdir(exist_ok=True)
    (artifact / place).symlink_to("/etc")
    with pytest.raises(ModelRefused, match="version 7 has links in its artifact"):
        check_address(artifact.as_uri(), SERVER, "7")


def test_a_folder_that_is_itself_a_link_is_refused(artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(artifact)
    with pytest.raises(ModelRefused, match="links"):
        check_address((tmp_path / "link").as_uri(), SERVER, "7")


def listing(folders: dict[str | None, list[Entry]]) -> Callable[[str | None], list[Entry]]:
    return lambda path: list(folders[path])


def test_what_is_read_is_found_and_the_source_of_the_package_is_not_even_listed() -> None:
    asked: list[str | None] = []
    folders: dict[str | None, list[Entry]] = {
        None: [
            ("MLmodel", False, 1),
            ("code", True, 0),
            ("extra_files", True, 0),
            ("conda.yaml", False, 1),
            ("model.skops", False, 9),
        ],
        "extra_files": [("extra_files/model.json", False, 5), ("extra_files/note.txt", False, 5)],
    }

    def listed(path: str | None) -> list[Entry]:
        asked.append(path)
        return folders[path]

    assert find_files(listed, "7") == ["MLmodel", "extra_files/model.json", "model.skops"]
    assert asked == [None, "extra_files"]


@pytest.mark.parametrize("path", ["../model.json", "/etc/model.json", "extra_files/../../model.json"])
def test_a_file_that_would_be_written_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ModelRefused, match="version 7 has a file outside its artifact"):
        find_files(listing({None: [("MLmodel", False, 1), (path, False, 1)]}), "7")


def test_a_folder_without_a_model_is_refused_and_an_empty_one_is_left_to_the_download() -> None:
    assert find_files(listing({None: []}), "7") == []
    with pytest.raises(ModelRefused, match="version 7 is no model: there is no MLmodel"):
        find_files(listing({None: [("passwd", False, 1), ("code/MLmodel", False, 1)]}), "7")


def test_two_thousand_files_and_a_gibibyte_are_the_most() -> None:
    assert (MAX_FILES, MAX_BYTES) == (2_000, 1024**3)
    most: list[Entry] = [("MLmodel", False, 0), *((f"f{n}", False, 0) for n in range(MAX_FILES - 1))]
    find_files(listing({None: most}), "7")
    find_files(listing({None: [("MLmodel", False, MAX_BYTES)]}), "7")
    for found in ([*most, ("one", False, 0)], [("MLmodel", False, MAX_BYTES), ("one", False, 1)]):
        with pytest.raises(ModelRefused, match="more than 2000 files or 1024 MiB"):
            find_files(listing({None: found}), "7")


def test_a_folder_that_holds_itself_is_refused_for_its_size() -> None:
    def listed(path: str | None) -> list[Entry]:
        return [("MLmodel", False, 0), (f"{path}/again", True, 0)]

    with pytest.raises(ModelRefused, match="2000 files"):
        find_files(listed, "7")
