from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.containers.debian_images import FOLDER, PREFIX, TARGETS
from tools.containers.stack import OVERRIDE, read_override, render_run
from tools.containers.volumes import write_archive
from tools.stack.compose_file import read_compose, read_services
from tools.stack.dockerfile import read_stages

OVERRIDDEN: dict[str, dict[str, Any]] = read_override()["services"]
SERVICES = read_services()
# All that the override may say, and of whom: a difference that is not told in docs/compose.md is none of ours.
ALLOWED = {
    "image": {"postgres", "minio", "proxy", "prometheus", "alertmanager"},
    "profiles": {"grafana"},
    "healthcheck": {name for name, service in SERVICES.items() if service.health},
    "tmpfs": {name for name, service in SERVICES.items() if any("/var/lib/churn" in text for text in service.entry["tmpfs"])},
    "environment": {"data", "first-model", "flows"},
}


def test_the_override_changes_only_what_is_told() -> None:
    said = {key: {name for name, entry in OVERRIDDEN.items() if key in entry} for entry in OVERRIDDEN.values() for key in entry}
    assert said == ALLOWED
    assert set(read_override()) - {"services", "networks"} == {"x-often", "x-stateless"}
    assert set(read_override()["networks"]) == {"edge"}


def test_commands_users_and_rights_stay_those_of_compose_yaml() -> None:
    kept = "command entrypoint user read_only cap_drop security_opt networks volumes secrets mem_limit pids_limit depends_on"
    assert not [name for name, entry in OVERRIDDEN.items() if set(kept.split()) & set(entry)]
    for name, entry in OVERRIDDEN.items():
        # What is said of health, of memory and of variables takes one thing away, or adds one.
        assert entry.get("healthcheck", {"start_interval": None}) == {"start_interval": None}, name
        assert entry.get("tmpfs", SERVICES[name].entry["tmpfs"][:1]) == SERVICES[name].entry["tmpfs"][:1], name
        assert set(entry.get("environment", {})) <= {"CHURN_DATA", "CHURN_PARAMS"}, name


def test_debians_images_run_as_the_users_of_compose_yaml() -> None:
    stages = read_stages(FOLDER / "Dockerfile")
    assert set(stages) == {"packages", *TARGETS}
    images = {entry["image"]: name for name, entry in OVERRIDDEN.items() if "image" in entry}
    assert set(images) == {f"{PREFIX}{target}" for target in TARGETS}
    for image, name in images.items():
        assert stages[image.removeprefix(PREFIX)].all("USER") == [SERVICES[name].entry["user"]]


def test_each_script_is_copied_into_an_image() -> None:
    copied = " ".join(text for stage in read_stages(FOLDER / "Dockerfile").values() for text in stage.all("COPY"))
    scripts = {file.name for file in FOLDER.glob("*.sh")}
    assert scripts
    assert all(name in copied for name in scripts)
    assert {file.name for file in FOLDER.iterdir()} == scripts | {"Dockerfile", OVERRIDE.name}


def test_a_run_has_its_own_secrets_and_its_own_address(tmp_path: Path) -> None:
    text = render_run(tmp_path, "127.9.8.1")
    said = yaml.safe_load(text.replace("!override ", ""))
    assert text.count("!override ") == len(said["services"])
    composed = read_compose()
    assert {name: entry["file"] for name, entry in said["secrets"].items()} == {
        name: str(tmp_path / name) for name in composed["secrets"]
    }
    for name, entry in composed["services"].items():
        inside = [int(port.rsplit(":", 1)[1]) for port in entry.get("ports", [])]
        wanted = [f"127.9.8.1:{port + 20_000}:{port}" for port in inside]
        assert said["services"].get(name, {"ports": []}) == {"ports": wanted}


@pytest.mark.parametrize("owner", [0, 10001])
def test_files_for_a_volume_come_with_their_folders_and_belong_to_one_user(owner: int) -> None:
    file = io.BytesIO()
    write_archive(file, {"data/customers.csv": b"a,b\n", "x": b""}, owner)
    file.seek(0)
    with tarfile.open(fileobj=file) as archive:
        entries = archive.getmembers()
        assert [entry.name for entry in entries] == [".", "data", "data/customers.csv", "x"]
        assert {(entry.uid, entry.gid) for entry in entries} == {(owner, owner)}
        assert [entry.isdir() for entry in entries] == [True, True, False, False]
        content = archive.extractfile("data/customers.csv")
        assert content is not None
        assert content.read() == b"a,b\n"
