"""The Dockerfile's steps for the `service` image, run without an engine: in an empty folder, with an empty environment.

What an engine would do besides is not proved here: fetching the base, COPY between stages, making the account.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from packaging.utils import canonicalize_name

from churn import DISTRIBUTION
from tests.checkout import CHECKOUT
from tests.unit.deploy.commands import PROJECT
from tools.stack.dockerfile import Stage, copied_paths, lineage, read_stages

# How this machine reaches its package index is the builder's business, as a proxy is for `docker build`.
BUILDER = re.compile(r"(PIP|UV|SSL|REQUESTS)_|https?_proxy|no_proxy", re.IGNORECASE)
MADE_BY_THE_BUILD = re.compile(r"(?<![\w.])/(opt/churn|opt/tools|wheels|tmp)\b")
BASE_PYTHON = "/usr/local/bin/python3"
KEY = "0" * 64


@dataclass(frozen=True)
class Image:
    root: Path
    stage: Stage

    def path(self, text: str) -> str:
        made_here = MADE_BY_THE_BUILD.sub(lambda found: f"{self.root}/{found[1]}", text)
        return made_here.replace(BASE_PYTHON, f"{self.root}/base/bin/python3")

    def environment(self, **more: str) -> dict[str, str]:
        declared = {name: self.path(value) for name, value in self.stage.environment.items()}
        return {**declared, "PATH": f"{self.root}/opt/churn/bin:/usr/bin:/bin", "CHURN_HOME": f"{self.root}/home", **more}

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [f"{self.root}/opt/churn/bin/{words[0]}", *words[1:]],
            **self.place(),
            env=self.environment(**more),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def place(self) -> dict[str, object]:
        """In its home and, where we may choose, as the image's own user, who can write nowhere else."""
        user = int(self.stage.all("USER")[-1].split(":")[0])
        who: dict[str, object] = {"user": user, "group": user, "extra_groups": []} if may_become(self.root, user) else {}
        return {"cwd": f"{self.root}/home", **who}


def may_become(root: Path, user: int) -> bool:
    """Whether we are root, and the Python that stands for the base image's is open to others."""
    if os.geteuid() != 0:
        return False
    try:
        tried = subprocess.run([root / "base/bin/python", "-c", ""], user=user, group=user, capture_output=True, check=False)
    except PermissionError:
        return False
    return tried.returncode == 0


def install(root: Path, target: str = "service") -> Image:
    """Run the build's steps in order, each stage's on the files it would have."""
    stages = read_stages()
    for folder in ("src", "opt", "tmp", "home"):
        (root / folder).mkdir()
    (root / "tmp").chmod(0o1777)
    # Stands for the base image's Python.
    subprocess.run([sys.executable, "-m", "venv", root / "base"], check=True)
    image = Image(root, lineage(stages, target))
    user = int(image.stage.all("USER")[-1].split(":")[0])
    if may_become(root, user):
        os.chown(root / "home", user, user)
    inherited = {name: value for name, value in os.environ.items() if BUILDER.match(name)}
    cache = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv"))
    for stage in (stages["build"], stages["wheel"], stages["tools"], stages[f"{target}-environment"]):
        for path in copied_paths(stage):
            copy(CHECKOUT / path, root / "src" / path)
        environment = {
            **inherited,
            **stages["build"].environment,
            "UV_CACHE_DIR": cache,
            "PATH": f"{root}/base/bin:/usr/bin:/bin",
        }
        for step in stage.all("RUN"):
            done = subprocess.run(
                ["/bin/sh", "-ec", image.path(step)],
                cwd=root / "src",
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{step}\n{done.stdout}{done.stderr}"
    return image


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copy(source, target)


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    # Not pytest's folder: that is closed to the image's user.
    with tempfile.TemporaryDirectory(prefix="churn-image-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        yield install(root)


def test_holds_what_the_lock_says_and_nothing_else(image: Image) -> None:
    listed = subprocess.run(
        [f"{image.root}/base/bin/uv", "pip", "freeze", "--python", f"{image.root}/opt/churn/bin/python"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    lock = (CHECKOUT / "requirements.lock").read_text()
    locked = set(re.findall(r"^(\S+==[^\s;]+)", lock, re.MULTILINE))
    found = {line for line in listed if line and not line.startswith(f"{DISTRIBUTION} @")}
    assert len(found) > 40
    assert found <= locked
    # And the bill of materials lists these, and nothing else.
    bill = json.loads((image.root / "opt/churn/sbom.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == DISTRIBUTION
    named = {f"{part['name']}=={part['version']}" for part in bill["components"]}
    assert {canonicalize_name(line) for line in named} - {f"{DISTRIBUTION}=={PROJECT['version']}"} == {
        canonicalize_name(line) for line in found
    }


@pytest.mark.parametrize("module", ["prefect", "evidently", "dvc", "mlflow.server", "supervisor", "pytest", "matplotlib"])
def test_leaves_out_what_serving_does_not_need(image: Image, module: str) -> None:
    done = image.run("python", "-c", f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is not None)")
    if module == "mlflow.server":  # its files are in the skinny half; what it runs on is not
        done = image.run("python", "-c", "import mlflow.server.handlers")
        assert "ModuleNotFoundError" in done.stderr
    else:
        assert done.returncode == 0, done.stderr


def test_runs_on_the_bases_python(image: Image) -> None:
    said = [
        subprocess.run(
            [python, "-c", "import sys; print(sys.version, sys._base_executable)"], capture_output=True, check=True
        ).stdout
        for python in (image.root / "base/bin/python", image.root / "opt/churn/bin/python")
    ]
    assert said[0] == said[1]


def test_command_and_app_import(image: Image) -> None:
    assert image.run("python", "-c", "import service.app, psycopg").returncode == 0
    shown = image.run("churn", "serve", "--help")
    assert "--workers" in shown.stdout, shown.stderr


def test_refuses_to_be_open_without_keys(image: Image) -> None:
    assert image.stage.environment["CHURN_HOST"] == "0.0.0.0"  # noqa: S104
    done = image.run(*image.stage.command("ENTRYPOINT"), *image.stage.command("CMD"))
    assert done.returncode == 2
    assert "CHURN_API_KEYS" in done.stderr


@contextmanager
def served(image: Image) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "CHURN_PORT": str(port),
        "CHURN_API_KEYS": f"test:predict:{KEY}",
        "CHURN_TRACKING_URI": "http://127.0.0.1:1",
    }
    words = [*image.stage.command("ENTRYPOINT"), *image.stage.command("CMD")]
    with (image.root / "tmp" / "service.log").open("wb") as log:
        process = subprocess.Popen(
            [f"{image.root}/opt/churn/bin/{words[0]}", *words[1:]],
            **image.place(),  # type: ignore[call-overload]
            env=image.environment(**settings),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process, port
        finally:
            process.terminate()
            process.wait(timeout=60)


def test_serves_without_registry_and_says_so(image: Image) -> None:
    with served(image) as (process, port):
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while not answers(f"{url}/healthz"):
            said = (image.root / "tmp" / "service.log").read_text()
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
        ready = httpx2.get(f"{url}/readyz", trust_env=False)
        assert ready.status_code == 503
        # The store is there (SQLite in the home); only a model is missing.
        assert [problem["field"] for problem in ready.json()["errors"]] == ["model"]
        check = image.stage.command("HEALTHCHECK")
        assert image.run(*check, CHURN_PORT=str(port)).returncode == 0
        resident = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        assert resident
        # 286 MiB when it was measured; k8s/base/service.yaml asks for this much.
        assert int(resident[1]) < 384 * 1024
    assert process.returncode in (0, -15)
    assert image.run(*check, CHURN_PORT=str(port)).returncode != 0


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False
