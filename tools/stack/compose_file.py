"""Read compose.yaml: its services, with everything merged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churn.config.safe_yaml import load_yaml
from tools.packages import CHECKOUT
from tools.stack.dockerfile import Stage, lineage, read_stages

COMPOSE = CHECKOUT / "compose.yaml"
# Which variable names a file whose content is the value of another.
BY_FILE = re.compile(r"(?P<name>\w+?)_{1,2}FILE")

# The port on which each service listens.
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
    """One mount of a service; `kind` is volume, bind or tmpfs."""

    source: str
    target: str
    kind: str
    read_only: bool


@dataclass(frozen=True)
class Service:
    """One service, with the mapping that describes it in the file."""

    name: str
    entry: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """Return its environment variables."""
        return dict(self.entry.get("environment", {}))

    @property
    def image(self) -> str:
        """Return the name of its image."""
        return str(self.entry["image"])

    @property
    def stage(self) -> Stage | None:
        """Return the stage of our Dockerfile that it runs; None for an image of others."""
        return lineage(read_stages(), self.entry["build"]["target"]) if "build" in self.entry else None

    @property
    def words(self) -> list[str]:
        """Return the whole command line."""
        given = [str(word) for word in self.entry.get("command", [])]
        if "entrypoint" in self.entry:
            return [*self.entry["entrypoint"], *given]
        return [*(self.stage.command("ENTRYPOINT") if self.stage else []), *given]

    @property
    def program(self) -> list[str]:
        """Return the command line without the wrapper that passes secrets to it."""
        return self.words[self.words.index("--") + 1 :] if "--" in self.words else self.words

    @property
    def mounts(self) -> list[Mount]:
        """Return its mounts, tmpfs included."""
        found = []
        for volume in self.entry.get("volumes", []):
            if isinstance(volume, str):
                source, target = volume.split(":")
                found.append(Mount(source, target, "volume", False))
            else:
                found.append(Mount(volume["source"], volume["target"], volume["type"], volume.get("read_only", False)))
        return found + [Mount("", entry.split(":")[0], "tmpfs", False) for entry in self.entry.get("tmpfs", [])]

    @property
    def health(self) -> list[str]:
        """Return its health check, as the file has it: CMD and the words of a command."""
        return [str(word) for word in self.entry.get("healthcheck", {}).get("test", [])]

    @property
    def dependencies(self) -> dict[str, str]:
        """Return the services that it depends on, and on which condition of each."""
        return {name: how["condition"] for name, how in self.entry.get("depends_on", {}).items()}

    @property
    def ends(self) -> bool:
        """Return whether it does one thing and ends."""
        return str(self.entry["restart"]).startswith("on-failure")


def read_compose(path: Path = COMPOSE) -> dict[str, Any]:
    """Read the file as it is."""
    return dict(load_yaml(path.read_text()))


def read_services(path: Path = COMPOSE) -> dict[str, Service]:
    """Read the services, by name."""
    return {name: Service(name, entry) for name, entry in read_compose(path)["services"].items()}
