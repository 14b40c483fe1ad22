"""compose.yaml in real containers: podman-compose makes them, and they are started here in the order that the file asks for.

Podman 4.3 knows a container's health only where systemd runs the check, and podman-compose then ignores `condition:`. So the
checks of the file are run from here (`podman healthcheck run`), and what waits for a condition is started when it holds.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from churn.errors import ChurnError
from deploy.make_secrets import make_secrets
from tools.containers.engine import Engine
from tools.containers.listening import listens
from tools.containers.volumes import fill_volume
from tools.stack.callers import count_predictions
from tools.stack.compose_file import COMPOSE, PORTS, read_compose, read_services

OVERRIDE = Path(__file__).with_name("debian") / "compose.yaml"
LABEL = "io.podman.compose.project"
TIMEOUT_SECONDS = 1_200
# A program that ends again and again is not coming up.
MAX_RESTARTS = 3
# On the machine's loopback networks, past the one that everybody uses.
MIN_NET = 2
# What listens on all addresses has taken the ports themselves on this one as well.
PORT_OFFSET = 20_000


class ContainerStack:
    """The services of compose.yaml in containers, for the time of a `with` block. Nothing of them is left afterwards.

    Parameters
    ----------
    engine : Engine
    folder : Path
        For the secrets and for what this run adds to the file.

    Attributes
    ----------
    services : dict of Service
        Those that are run: all but the ones that OVERRIDE leaves out.
    left_out : set of str
    key : str
        The operator's API key.
    seconds : dict of float
        How long each took to be healthy, or done, since the first was started.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.project = f"churn-stack-{secrets.token_hex(3)}"
        self.left_out = {name for name, entry in read_override()["services"].items() if "profiles" in entry}
        self.services = {name: service for name, service in read_services().items() if name not in self.left_out}
        # Ports are published on a loopback address of this run, moved, so that it meets nothing else on this machine.
        self.address = f"127.{secrets.randbelow(250) + MIN_NET}.{secrets.randbelow(250) + MIN_NET}.1"
        self.seconds: dict[str, float] = {}
        self._more = folder / "run.yaml"
        make_secrets(folder / "secrets")
        self.key = (folder / "secrets" / "operator_key").read_text().strip()
        self.secrets = {file.name: file.read_text().strip() for file in (folder / "secrets").iterdir()}
        self._more.write_text(render_run(folder / "secrets", self.address))

    def url(self, service: str, path: str = "") -> str:
        """Return the URL of a service whose port is published.

        Parameters
        ----------
        service : str
        path : str

        Returns
        -------
        str
        """
        return f"http://{self.address}:{PORTS[service] + PORT_OFFSET}{path}"

    def container(self, service: str) -> str:
        """Return the name of a service's container."""
        return f"{self.project}_{service}_1"

    def make(self) -> None:
        """Make networks, volumes and containers, and start none."""
        words = ["--in-pod", "false", "--project-name", self.project]
        for file in (COMPOSE, OVERRIDE, self._more):
            words += ["--file", str(file)]
        # Without `--no-deps` podman would start what a container waits for each time that it is started.
        words += ["up", "--no-start", "--no-deps", "--no-build", "--pull", "never"]
        # Not its script, which names the Python that it was installed with: an environment may have been moved.
        done = self.engine.run(sys.executable, "-m", "podman_compose", *words)
        there = set(
            self.engine.podman("ps", "--all", "--filter", f"label={LABEL}={self.project}", "--format", "{{.Names}}").split()
        )
        missing = {self.container(name) for name in self.services} - there
        if missing:
            raise ChurnError(f"podman-compose did not make {', '.join(sorted(missing))}:\n{(done.stdout + done.stderr)[-3000:]}")

    def fill_volume(self, name: str, files: dict[str, bytes], owner: int = 10001) -> None:
        """Put files into a volume of the project before anything uses it.

        Parameters
        ----------
        name : str
            As compose.yaml has it.
        files : dict of bytes
            Content, by path in the volume.
        owner : int
            User and group.
        """
        fill_volume(self.engine, f"{self.project}_{name}", files, owner)

    def bring_up(self, *names: str) -> None:
        """Start every service, or those named, as soon as its dependencies allow; wait until all are healthy, or done.

        Raises
        ------
        ChurnError
            If one ends with an error, or not all are up in time.
        """
        began = time.monotonic()
        wanted = set(names or self.services)
        waiting, up = set(wanted), set(self.services) - wanted
        while wanted - up:
            round_began = time.monotonic()
            for name in sorted(waiting):
                if set(self.services[name].dependencies) <= up:
                    self.engine.podman("start", self.container(name))
                    waiting.remove(name)
            for name in sorted(wanted - up - waiting):
                if self.is_up(name):
                    up.add(name)
                    self.seconds[name] = time.monotonic() - began
            if time.monotonic() - began > TIMEOUT_SECONDS:
                late = sorted(wanted - up)
                raise ChurnError(f"not up after {TIMEOUT_SECONDS} s: {', '.join(late)}\n{self.log(late[0])[-3000:]}")
            # Checks run in the containers: half of the time belongs to what they wait for.
            time.sleep(max(1.0, time.monotonic() - round_began))

    def is_up(self, name: str) -> bool:
        """Return whether a service is healthy or, if it does one thing and ends, has ended well.

        Raises
        ------
        ChurnError
            If it has ended with an error; with the end of its log.
        """
        found = self.engine.inspect("container", self.container(name))
        state, ended = found["State"], found["State"]["Status"] in ("exited", "stopped")
        if found["RestartCount"] > MAX_RESTARTS:
            raise ChurnError(f"{name} has ended {found['RestartCount']} times:\n{self.log(name)[-3000:]}")
        if ended and (state["ExitCode"] != 0 or not self.services[name].ends):
            raise ChurnError(f"{name} ended with {state['ExitCode']}:\n{self.log(name)[-3000:]}")
        if self.services[name].ends:
            return ended
        if not listens(state["Pid"], PORTS[name]):
            return False
        return self.engine.run("podman", "healthcheck", "run", self.container(name), check=False).returncode == 0

    def run(self, service: str, *words: str, check: bool = True, **more: str) -> str:
        """Run a command in a service's container, as `docker compose exec` does, and return what it printed.

        Parameters
        ----------
        service : str
        *words : str
        check : bool
            Whether a failure is an error.
        **more : str
            More environment variables.

        Returns
        -------
        str
            Its output, and after that its errors.
        """
        told = [word for name, value in more.items() for word in ("--env", f"{name}={value}")]
        done = self.engine.run("podman", "exec", *told, self.container(service), *words, check=check)
        return done.stdout + done.stderr

    def run_json(self, service: str, *words: str, **more: str) -> Any:
        """Run a command that prints JSON, and read it.

        Parameters
        ----------
        service : str
        *words : str
        **more : str
            More environment variables.

        Returns
        -------
        object
        """
        told = [word for name, value in more.items() for word in ("--env", f"{name}={value}")]
        return json.loads(self.engine.podman("exec", *told, self.container(service), *words))

    def count_predictions(self, replica: str) -> int:
        """Return how many predictions a replica has made since its start; 0 while it doesn't listen."""
        url = f"http://127.0.0.1:{PORTS[replica]}/metrics"
        program = f"import urllib.request; print(urllib.request.urlopen('{url}', timeout=5).read().decode())"
        return count_predictions(self.run(replica, "python", "-c", program, check=False))

    def query(self, statement: str, database: str = "churn") -> list[str]:
        """Ask PostgreSQL as its administrator, over its socket.

        Parameters
        ----------
        statement : str
            SQL.
        database : str

        Returns
        -------
        list of str
            A line for each row.
        """
        words = ["psql", "-X", "-A", "-t", "-U", "postgres", "-d", database, "-c", statement]
        return self.engine.podman("exec", self.container("postgres"), *words).splitlines()

    def log(self, name: str) -> str:
        """Return what a service has printed."""
        done = self.engine.run("podman", "logs", self.container(name), check=False)
        return done.stdout + done.stderr

    def pid(self, name: str) -> int:
        """Return the number, on this machine, of a container's first process."""
        return int(self.engine.inspect("container", self.container(name))["State"]["Pid"])

    def remove(self) -> None:
        """Remove what has the label of this project, and nothing else."""
        label = ("--filter", f"label={LABEL}={self.project}")
        for listed, remove in (
            (("ps", "--all", "--quiet"), ("rm", "--force", "--time", "0", "--volumes")),
            (("volume", "ls", "--quiet"), ("volume", "rm", "--force")),
            (("network", "ls", "--quiet"), ("network", "rm", "--force")),
        ):
            found = self.engine.run("podman", *listed, *label, check=False).stdout.split()
            if found:
                self.engine.run("podman", *remove, *found, check=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()


def render_run(secrets_folder: Path, address: str) -> str:
    """Return what only one run adds to the file.

    Parameters
    ----------
    secrets_folder : Path
    address : str
        Loopback address for published ports.

    Returns
    -------
    str
        YAML.
    """
    composed = read_compose()
    files = {name: {"file": str(secrets_folder / name)} for name in composed["secrets"]}
    lines = [yaml.safe_dump({"secrets": files}), "services:"]
    for name, entry in composed["services"].items():
        if "ports" in entry:
            published = [f"{address}:{int(port.split(':')[-2]) + PORT_OFFSET}:{port.split(':')[-1]}" for port in entry["ports"]]
            lines.append(f"  {name}: {{ports: !override {json.dumps(published)}}}")
    return "\n".join(lines) + "\n"


def read_override() -> dict[str, Any]:
    """Read OVERRIDE; `!reset` and `!override` become what they stand before."""
    return dict(yaml.load(OVERRIDE.read_text(), _Loader))  # noqa: S506 -- a SafeLoader with two tags more


class _Loader(yaml.SafeLoader):
    """A safe loader that knows the two tags with which Compose merges files."""


def _plain(loader: _Loader, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    # `!reset null`: no other scalar is said.
    return None


_Loader.add_constructor("!reset", _plain)
_Loader.add_constructor("!override", _plain)
