from __future__ import annotations

import tomllib
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from churn.errors import ChurnError
from tools.containers.engine import Engine, render_configuration
from tools.containers.storage import NETWORKS, one_at_a_time, render_storage


def test_storage_and_networks_are_apart_from_everybody_elses(tmp_path: Path) -> None:
    found = tomllib.loads(render_storage(tmp_path / 'a "b"', tmp_path / "run"))["storage"]
    assert found == {"driver": "overlay", "graphroot": str(tmp_path / 'a "b"'), "runroot": str(tmp_path / "run")}
    assert tomllib.loads(render_storage())["storage"]["graphroot"] != "/var/lib/containers/storage"
    assert tomllib.loads(render_configuration(cgroups_v2=False))["network"] == {"network_config_dir": str(NETWORKS)}


def test_one_command_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "new" / "lock"
    with one_at_a_time(lock), pytest.raises(ChurnError, match="another command uses"), one_at_a_time(lock, timeout=0):
        pytest.fail("both are in")
    with one_at_a_time(lock, timeout=0):
        pass


class Podman(Engine):
    """A storage in which a run was killed; what something else uses cannot be removed."""

    def __init__(self) -> None:
        self.environment = {}
        self.left = {"pod": ["p"], "container": ["c"], "build": ["b"], "volume": ["v"], "secret": ["s"], "network": ["n"]}

    def run(self, *words: object, **_: object) -> CompletedProcess[str]:
        said = " ".join(map(str, words))
        kind = "container"
        if said.startswith("buildah"):
            kind = "build"
        elif str(words[1]) in self.left:
            kind = str(words[1])
        if " rm" not in said:
            return CompletedProcess([], 0, "\n".join(self.left[kind]), "")
        if kind in ("volume", "secret", "network"):
            assert not self.left["container"]
        self.left[kind] = [name for name in self.left[kind] if name not in words]
        # A pod's containers go with it.
        if kind == "pod":
            self.left["container"] = [name for name in self.left["container"] if name != "in-pod"]
        return CompletedProcess([], 0, "", "")


def test_what_a_killed_run_left_is_removed_before_what_it_used() -> None:
    podman = Podman()
    podman.left["container"].append("in-pod")
    podman.remove_containers()
    assert podman.left == {"pod": [], "container": [], "build": [], "volume": [], "secret": [], "network": []}
