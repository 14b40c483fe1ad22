"""compose.yaml as data: its services with everything merged, and how to find one's way in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.unit.deploy.dockerfile import CHECKOUT, Stage, lineage, read_stages

COMPOSE = CHECKOUT / "compose.yaml"
# Which variable names a file whose content is the value of another.
BY_FILE = re.compile(r"(?P<name>\w+?)_{1,2}FILE")

# Where each listens.
PORTS = {
    "postgres": 5432,
    "minio": 9000,
    "mlflow": 5000,
    "prefect": 4200,
    "flows": 8080,
    "service-1": 8000,
    "service-2": 8000,
    "proxy": 8000,
    "exporter": 8090,
    "evidently": 8085,
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
}


@dataclass(frozen=True)
class Mount:
    source: str
    target: str
    kind: str
    read_only: bool


@dataclass(frozen=True)
class Service:
    name: str
    said: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.said.get("environment", {}))

    @property
    def image(self) -> str:
        return str(self.said["image"])

    @property
    def stage(self) -> Stage | None:
        """What of the Dockerfile it runs; None of an image of others."""
        return lineage(read_stages(), self.said["build"]["target"]) if "build" in self.said else None

    @property
    def words(self) -> list[str]:
        """The whole command line."""
        given = [str(word) for word in self.said.get("command", [])]
        if "entrypoint" in self.said:
            return [*self.said["entrypoint"], *given]
        return [*(self.stage.command("ENTRYPOINT") if self.stage else []), *given]

    @property
    def program(self) -> list[str]:
        """The command line without what passes secrets to it."""
        return self.words[self.words.index("--") + 1 :] if "--" in self.words else self.words

    @property
    def mounts(self) -> list[Mount]:
        found = []
        for volume in self.said.get("volumes", []):
            if isinstance(volume, str):
                source, target = volume.split(":")
                found.append(Mount(source, target, "volume", False))
            else:
                found.append(Mount(volume["source"], volume["target"], volume["type"], volume.get("read_only", False)))
        return found + [Mount("", entry.split(":")[0], "tmpfs", False) for entry in self.said.get("tmpfs", [])]

    @property
    def health(self) -> list[str]:
        return [str(word) for word in self.said.get("healthcheck", {}).get("test", [])]

    @property
    def dependencies(self) -> dict[str, str]:
        return {name: how["condition"] for name, how in self.said.get("depends_on", {}).items()}

    @property
    def ends(self) -> bool:
        """Whether it does one thing and is done."""
        return str(self.said["restart"]).startswith("on-failure")


def read_compose(path: Path = COMPOSE) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))


def read_services(path: Path = COMPOSE) -> dict[str, Service]:
    return {name: Service(name, said) for name, said in read_compose(path)["services"].items()}
