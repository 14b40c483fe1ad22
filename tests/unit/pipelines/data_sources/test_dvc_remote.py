"""The folder of a DVC remote: verified, set for this checkout only, and passed over where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from churn.errors import ChurnError
from pipelines.data_sources import dvc_remote
from pipelines.data_sources.dvc_remote import pull_from_remote
from tests.unit.service.fakes import make_settings


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.dvc").write_text("outs: []\n")
    (tmp_path / "remote").mkdir()
    return tmp_path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that DVC is given, all of them in one process."""
    commands: list[list[str]] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert command[:3] == [sys.executable, "-c", dvc_remote.ONE_PROCESS]
        assert options["timeout"] == dvc_remote.DVC_SECONDS
        assert commands == []
        commands.extend(json.loads(command[3]))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_it_is_verified_and_set_for_this_checkout_before_it_is_pulled(checkout: Path, ran: list[list[str]]) -> None:
    assert pull_from_remote(make_settings(checkout, dvc_remote="remote"))
    *config, pull = ran
    assert pull == ["pull", "--quiet", "data.dvc"]
    assert all(command[:2] == ["config", "--local"] for command in config)
    assert {name: value for _, _, name, value in config} == {
        "core.remote": "machine",
        "remote.machine.url": str(checkout / "remote"),
        "remote.machine.verify": "true",
    }


@pytest.mark.parametrize("remote", ["", "no-such-folder", "data.dvc"])
def test_without_a_folder_nothing_is_run(checkout: Path, ran: list[list[str]], remote: str) -> None:
    assert not pull_from_remote(make_settings(checkout, dvc_remote=remote))
    assert ran == []


def test_outside_of_a_checkout_nothing_is_run(checkout: Path, ran: list[list[str]]) -> None:
    (checkout / "data.dvc").unlink()
    assert not pull_from_remote(make_settings(checkout, dvc_remote="remote"))
    assert ran == []


def test_a_pull_that_fails_is_no_data(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert not pull_from_remote(make_settings(checkout, dvc_remote="remote"))


@pytest.mark.parametrize("code", [0, 1])
def test_it_ends_as_the_last_command_does(checkout: Path, code: int) -> None:
    (checkout / "dvc").mkdir()
    (checkout / "dvc" / "__init__.py").touch()
    (checkout / "dvc" / "cli.py").write_text(
        f"def main(command):\n    print(command[0])\n    return {code} if command[0] == 'pull' else {1 - code}\n"
    )
    ended = dvc_remote._dvc(["config", "a"], ["config", "b"], ["pull"])
    assert (ended.returncode, ended.stdout.split()) == (code, ["config", "config", "pull"])


def test_a_remote_that_stands_still_says_what_to_do(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ChurnError, match="check CHURN_DVC_REMOTE, or set CHURN_DATA"):
        pull_from_remote(make_settings(checkout, dvc_remote="remote"))
