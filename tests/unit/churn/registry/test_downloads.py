"""How artifacts are downloaded, checked and kept. (With models that were registered: tests/integration/test_registry.py.)"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from churn.errors import ModelRefused, RegistryError
from churn.registry.artifact import (
    EVALUATED_FILE,
    INFO_FILE,
    MLMODEL_FILE,
    PIPELINE_FILE,
    SEAL_FILE,
    artifact_folder,
    digest_folder,
    models_folder,
)
from churn.registry.client import Client
from churn.registry.downloads import MAX_DOWNLOAD_SECONDS, STAGING_PREFIX, Downloads, move_into_place
from churn.registry.versions import Versions


@pytest.fixture
def downloads(registered: Client) -> Downloads:
    return Downloads(registered, Versions(registered))


@pytest.fixture
def artifact(downloads: Downloads, registered: Client) -> Path:
    """What version 1 is said to be; its pipeline cannot be loaded, which is another file's matter."""
    folder = registered.settings.home / "a" / "1"
    folder.mkdir(parents=True)
    for name in (MLMODEL_FILE, PIPELINE_FILE, INFO_FILE):
        (folder / name).write_text(name)
    registered.mlflow.set_model_version_tag(registered.name, "1", "artifact_digest", digest_folder(folder))
    return folder


def found(downloads: Downloads, client: Client) -> Path:
    """Version 1, checked and kept."""
    with downloads._checked_folder(downloads._versions.find("1")) as folder:
        assert folder == artifact_folder(client.settings, "1", "r1")
    return folder


def test_an_artifact_is_downloaded_once_sealed_and_kept(downloads: Downloads, artifact: Path, registered: Client) -> None:
    folder = found(downloads, registered)
    assert {path.name for path in folder.rglob("*") if path.is_file()} >= {MLMODEL_FILE, PIPELINE_FILE, INFO_FILE, SEAL_FILE}
    assert [path.name for path in models_folder(registered.settings).iterdir()] == ["1-r1"]
    # From now on nothing is asked of the store of artifacts.
    for path in artifact.iterdir():
        path.unlink()
    artifact.rmdir()
    assert found(downloads, registered) == folder


def test_only_what_is_read_is_downloaded(downloads: Downloads, artifact: Path, registered: Client) -> None:
    (artifact / "code" / "churn").mkdir(parents=True)
    for name in ("code/churn/core.py", "conda.yaml", "code/model.json", EVALUATED_FILE):
        (artifact / name).touch()
    folder = found(downloads, registered)
    assert {path.name for path in folder.iterdir()} == {MLMODEL_FILE, PIPELINE_FILE, EVALUATED_FILE, INFO_FILE, SEAL_FILE}


def test_one_that_was_exchanged_in_the_store_is_refused_and_not_kept(
    downloads: Downloads, artifact: Path, registered: Client
) -> None:
    (artifact / PIPELINE_FILE).write_text("another one")
    for ask in (downloads.load, downloads.load_judged, downloads.reference):
        with pytest.raises(ModelRefused, match="version 1 is not the one that was registered"):
            ask("1")
        assert list(models_folder(registered.settings).iterdir()) == []
    (artifact / PIPELINE_FILE).write_text(PIPELINE_FILE)
    assert found(downloads, registered).is_dir()


def test_one_that_was_exchanged_on_this_disk_is_downloaded_anew(downloads: Downloads, artifact: Path, registered: Client) -> None:
    folder = found(downloads, registered)
    next(folder.rglob(INFO_FILE)).write_text("other")
    with pytest.raises(ModelRefused):
        downloads.load("1")
    assert not folder.exists()


def test_a_store_that_is_not_mounted_is_a_registry_that_is_away(downloads: Downloads, registered: Client) -> None:
    for ask in (downloads.load, downloads.load_judged, downloads.reference):
        with pytest.raises(RegistryError):
            ask("1")
    (registered.settings.home / "a" / "1").mkdir(parents=True)
    with pytest.raises(RegistryError, match="the artifact of version 1 is not where the registry at sqlite:"):
        downloads.load("1")
    assert list(models_folder(registered.settings).iterdir()) == []


def test_what_a_version_points_at_is_checked_before_it_is_downloaded(
    downloads: Downloads, artifact: Path, registered: Client
) -> None:
    (artifact / MLMODEL_FILE).unlink()
    with pytest.raises(ModelRefused, match="version 1 is no model"):
        downloads.load("1")
    (artifact / MLMODEL_FILE).symlink_to("/etc/hostname")
    with pytest.raises(ModelRefused, match="version 1 has links"):
        downloads.load("1")
    registered.mlflow.create_model_version(registered.name, "http://169.254.169.254/latest", "r4")
    with pytest.raises(ModelRefused, match=r"version 4 is said to lie at 'http://169.254.169.254'"):
        downloads.load("4")


def test_a_download_that_is_not_moved_is_removed_even_after_an_error(
    downloads: Downloads, artifact: Path, registered: Client
) -> None:
    with downloads.download("models:/churn/1", "1") as staging:
        assert staging.parent == models_folder(registered.settings)
        assert any(staging.rglob(PIPELINE_FILE))
    assert not staging.exists()
    with pytest.raises(ZeroDivisionError), downloads.download("models:/churn/1", "1") as staging:
        raise ZeroDivisionError
    assert not staging.exists()


def test_what_a_killed_process_left_is_removed_after_an_hour(downloads: Downloads, artifact: Path, registered: Client) -> None:
    models = models_folder(registered.settings)
    ages = {"old": MAX_DOWNLOAD_SECONDS + 60, "running": MAX_DOWNLOAD_SECONDS - 60}
    for name, age in ages.items():
        (models / f"{STAGING_PREFIX}{name}").mkdir(parents=True)
        os.utime(models / f"{STAGING_PREFIX}{name}", (0, time.time() - age))
    (models / "1-other").mkdir()
    os.utime(models / "1-other", (0, 0))
    with downloads.download("models:/churn/1", "1"):
        assert sorted(path.name for path in models.iterdir() if not path.name.startswith(STAGING_PREFIX)) == ["1-other"]
        assert not (models / f"{STAGING_PREFIX}old").exists()
    assert (models / f"{STAGING_PREFIX}running").is_dir()


def test_of_two_processes_that_download_the_same_one_stays(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    target = tmp_path / "target"
    move_into_place(tmp_path / "first", target)
    move_into_place(tmp_path / "second", target)
    assert (target / "file").read_text() == "first"
    assert (tmp_path / "second").is_dir()
    with pytest.raises(OSError, match="No such file"):
        move_into_place(tmp_path / "none", tmp_path / "nowhere")
