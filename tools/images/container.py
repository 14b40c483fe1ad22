"""Containers as our images are meant to run: a read-only root, no capabilities, nothing that a step could gain."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx2

from churn.errors import ChurnError
from tools.containers.engine import Engine
from tools.containers.listening import listens

USER = "10001:10001"
HARDENED = (
    "--read-only",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--pids-limit=512",
    "--tmpfs=/tmp:size=256m,mode=1777",
    f"--user={USER}",
)
HOME = "/var/lib/churn"
HEALTHY = ("python", "-m", "service.server.healthcheck")
LABEL = "churn.images"
TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Container:
    """One container of a run."""

    engine: Engine
    name: str

    def log(self) -> str:
        """Return what it has printed, without the service's lines about single requests."""
        done = self.engine.run("podman", "logs", self.name)
        return "".join(line for line in (done.stdout + done.stderr).splitlines(keepends=True) if '"service.access"' not in line)

    def run(self, *words: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run a program in it; return its exit code and what it printed.

        Parameters
        ----------
        *words : str
            The command line.
        environment : mapping of str, optional
            Variables, beside those of the container.

        Returns
        -------
        tuple of int and str
        """
        options = [f"--env={name}={value}" for name, value in (environment or {}).items()]
        done = self.engine.run("podman", "exec", *options, self.name, *words, check=False)
        return done.returncode, done.stdout + done.stderr

    @property
    def address(self) -> str:
        """Return its address in the run's network, which this machine reaches."""
        (network,) = self.engine.inspect("container", self.name)["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    @property
    def status(self) -> dict[str, str]:
        """Return what the kernel says of its first process."""
        number = self.engine.inspect("container", self.name)["State"]["Pid"]
        lines = Path(f"/proc/{number}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def answers(self, url: str) -> bool:
        """Run the health check of compose.yaml for a URL of its own, once something listens there."""
        if not listens(self.engine.inspect("container", self.name)["State"]["Pid"], urlsplit(url).port or 0):
            return False
        return self.run(*HEALTHY, url)[0] == 0

    def is_healthy(self) -> bool:
        """Run the image's own HEALTHCHECK once."""
        return self.engine.run("podman", "healthcheck", "run", self.name, check=False).returncode == 0

    def stop(self, seconds: int = 120) -> int:
        """Send SIGTERM, and return the exit code; whoever does not end in time is killed, which is an error.

        Raises
        ------
        ChurnError
            If it had to be killed.
        """
        began = time.monotonic()
        self.engine.run("podman", "stop", f"--time={seconds}", self.name, timeout=seconds + 60)
        if time.monotonic() - began >= seconds:
            raise ChurnError(f"{self.name} did not end within {seconds} s of SIGTERM:\n{self.log()[-3000:]}")
        return int(self.engine.inspect("container", self.name)["State"]["ExitCode"])

    def wait(self, seconds: int = 600) -> int:
        """Wait for its end, and return the exit code."""
        return int(self.engine.run("podman", "wait", self.name, timeout=seconds).stdout)

    def wait_until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait until something has happened in it.

        Parameters
        ----------
        happened : callable
        what : str
            For the message.

        Raises
        ------
        ChurnError
            If it ends first, or ten minutes pass; with its log.
        """
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not happened():
            running = self.engine.inspect("container", self.name)["State"]["Running"]
            if not running or time.monotonic() > deadline:
                how = f"not within {TIMEOUT_SECONDS} s" if running else "it has ended"
                raise ChurnError(f"{self.name}: {what}: {how}\n{self.log()[-3000:]}")
            time.sleep(1.0)


class Run:
    """A network, volumes and containers with one label; all are removed at the end of the `with` block, whatever happened."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.id = f"churn-images-{secrets.token_hex(4)}"
        self.label = f"{LABEL}={self.id}"

    def __enter__(self) -> Self:
        self.engine.podman("network", "create", "--internal", f"--label={self.label}", self.id)
        return self

    def start(
        self,
        name: str,
        image: str,
        words: Iterable[str] = (),
        *,
        volume: str | None = None,
        entrypoint: str | None = None,
        environment: Mapping[str, str] | None = None,
        files: Mapping[Path, str] | None = None,
    ) -> Container:
        """Start a container, hardened, in the run's network under its own name.

        Parameters
        ----------
        name : str
            Unique in this run.
        image : str
        words : iterable of str
            Its command; the image's own if there are none.
        volume : str, optional
            The volume that is its CHURN_HOME, made if it is not there; an anonymous one if none is named.
        entrypoint : str, optional
            Another program than the image's.
        environment : mapping of str, optional
        files : mapping of Path to str, optional
            Files of this machine, and where it finds them, read-only.

        Returns
        -------
        Container
        """
        options = [f"--name={self.id}-{name}", f"--network={self.id}", f"--network-alias={name}", f"--label={self.label}"]
        if volume:
            self._make_volume(volume)
            options.append(f"--volume={self.id}-{volume}:{HOME}")
        options += [f"--env={key}={value}" for key, value in (environment or {}).items()]
        options += [f"--volume={file}:{target}:ro" for file, target in (files or {}).items()]
        if entrypoint:
            options.append(f"--entrypoint={entrypoint}")
        self.engine.podman("run", "--detach", *HARDENED, *options, image, *words)
        return Container(self.engine, f"{self.id}-{name}")

    def _make_volume(self, name: str) -> None:
        if self.engine.run("podman", "volume", "exists", f"{self.id}-{name}", check=False).returncode != 0:
            self.engine.podman("volume", "create", f"--label={self.label}", f"{self.id}-{name}")

    def remove(self, container: Container) -> None:
        """Remove an ended container; its volume stays."""
        self.engine.podman("rm", container.name)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        chosen = f"--filter=label={self.label}"
        if left := self.engine.podman("ps", "--all", "--quiet", chosen).split():
            self.engine.podman("rm", "--force", "--volumes", "--time=0", *left)
        if left := self.engine.podman("volume", "ls", "--quiet", chosen).split():
            self.engine.podman("volume", "rm", "--force", *left)
        self.engine.podman("network", "rm", "--force", self.id)


def get_status(url: str) -> int:
    """Return the HTTP status of a GET; 0 if nobody answers."""
    try:
        return httpx2.get(url, timeout=5, trust_env=False).status_code
    except httpx2.HTTPError:
        return 0
