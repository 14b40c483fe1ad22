"""Which version served last, for a start without a registry. (Loading it is tested beside `load_folder`, in test_artifact.py.)"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from churn.config.settings import Settings
from churn.errors import ModelRefused
from churn.registry.artifact import SEAL_FILE, artifact_folder
from churn.registry.last_known_good import FILE, last_known_version, load_last_known_good, save_last_known_good


def served(version: str, run_id: str) -> SimpleNamespace:
    """Whatever knows which model it is."""
    return SimpleNamespace(info=SimpleNamespace(version=version, run_id=run_id))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, model_name="other")


def test_the_last_that_was_saved_is_known_by_version_and_run(settings: Settings, tmp_path: Path) -> None:
    assert last_known_version(settings) is None
    for version in ("7", "8"):
        save_last_known_good(settings, served(version, f"r{version}"))
        assert last_known_version(settings) == (version, f"r{version}")
    file = tmp_path / "models" / "other" / FILE
    assert json.loads(file.read_text()) == {"version": "8", "run_id": "r8"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_another_model_has_its_own(settings: Settings) -> None:
    save_last_known_good(settings, served("7", "r7"))
    assert last_known_version(settings.model_copy(update={"model_name": "churn"})) is None


def test_one_that_cannot_be_saved_leaves_the_one_before(settings: Settings, tmp_path: Path) -> None:
    save_last_known_good(settings, served("7", "r7"))
    with pytest.raises(TypeError):
        save_last_known_good(settings, served(object(), "r8"))  # type: ignore[arg-type] -- what JSON cannot hold
    assert last_known_version(settings) == ("7", "r7")
    assert [path.name for path in (tmp_path / "models" / "other").iterdir()] == [FILE]


@pytest.mark.parametrize("said", ["", "null", "{}", '{"version": "7"}', '{"run_id": "7"}', "[1]", "\ufeff{"])
def test_a_pointer_that_says_nothing_is_none(said: str, settings: Settings, tmp_path: Path) -> None:
    save_last_known_good(settings, served("7", "r7"))
    (tmp_path / "models" / "other" / FILE).write_text(said)
    assert last_known_version(settings) is None
    assert load_last_known_good(settings) is None


def test_a_folder_that_changed_since_it_was_sealed_is_refused_before_it_is_loaded(settings: Settings) -> None:
    save_last_known_good(settings, served("7", "r7"))
    folder = artifact_folder(settings, "7", "r7")
    folder.mkdir(parents=True)
    with pytest.raises(ModelRefused, match="version 7 cannot be loaded"):
        load_last_known_good(settings)
    (folder / SEAL_FILE).write_text("0" * 64)
    with pytest.raises(ModelRefused, match="version 7 is not the one that was registered"):
        load_last_known_good(settings)
