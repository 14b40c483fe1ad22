from __future__ import annotations

import resource
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from churn.errors import ChurnError
from tools.containers import engine
from tools.containers.engine import Engine, find_missing, render_configuration
from tools.postgres import NotHere


def test_where_control_groups_are_mixed_another_runtime_is_asked_for() -> None:
    assert "engine" not in tomllib.loads(render_configuration(cgroups_v2=True))
    assert tomllib.loads(render_configuration(cgroups_v2=False))["engine"] == {"runtime": "runc"}


@pytest.mark.parametrize("v2", [True, False])
@pytest.mark.parametrize(("hard", "files"), [(20_000, 20_000), (1_048_576, 65_536), (resource.RLIM_INFINITY, 65_536)])
def test_no_more_open_files_are_asked_for_than_this_process_may_have(
    v2: bool, hard: int, files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1_024, hard))
    limits = tomllib.loads(render_configuration(cgroups_v2=v2))["containers"]["default_ulimits"]
    assert limits == [f"nofile={files}:{files}", "nproc=4096:4096"]


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Let this machine have these programs, and no others."""

    def have(*names: str) -> None:
        for name in names:
            (tmp_path / name).write_text("#!/bin/sh\n")
            (tmp_path / name).chmod(0o755)

    monkeypatch.setattr(engine, "HELPER_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(engine, "ADMINISTRATORS_FOLDERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    return have


def test_what_is_missing_is_named_by_its_package(programs: Callable[..., None]) -> None:
    programs("podman", "buildah", "runc", "iptables", "aardvark-dns", "catatonit")
    assert find_missing() == ["iproute2", "netavark"]
    with pytest.raises(NotHere, match="apt-get install -y iproute2 netavark"):
        Engine()
    programs("ip", "netavark")
    assert find_missing() == []


def test_a_program_that_fails_is_told_of_in_its_own_words_unless_the_caller_looks_itself() -> None:
    made = object.__new__(Engine)
    made.environment = {}
    words = (sys.executable, "-c", "import sys; print('it broke'); sys.exit(3)")
    with pytest.raises(ChurnError, match=r"failed with 3:\nit broke"):
        made.run(*words)
    assert made.run(*words, check=False).returncode == 3
