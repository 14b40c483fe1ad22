"""Run the services of compose.yaml on this machine without a container engine, in the order of the file.

Each service gets a loopback address, each mount a folder, and the program itself runs in place of its image. `rclone serve s3`
stands in for MinIO; Grafana is left out. Not tested in this way: images, users, read-only roots, networks and limits.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from churn.errors import ChurnError
from deploy.make_secrets import make_secrets
from tools.packages import CHECKOUT
from tools.postgres import find_programs
from tools.stack.compose_file import PORTS, Service, read_services
from tools.stack.postgres_image import make_cluster
from tools.stack.programs import BIN, find, killed_with_us

NOT_HERE = {"grafana", "minio-volume"}
TIMEOUT_SECONDS = 600


class Stack:
    """The services of compose.yaml, for the time of a `with` block.

    Parameters
    ----------
    root : Path
        Folder of their state, which another user must be able to enter: PostgreSQL does not run as root.
    names : iterable of str, optional
        Only these, and all that they depend on.

    Attributes
    ----------
    more : dict of dict
        More environment variables, by service.
    seconds : dict of float
        How long each took to be healthy, by service.
    """

    def __init__(self, root: Path, names: Iterable[str] | None = None) -> None:
        self.root = root
        every = read_services()
        wanted = _with_dependencies(every, names or every) - NOT_HERE
        self.services = {name: service for name, service in every.items() if name in wanted}
        # One of 65,000 loopback networks, so that two stacks do not meet.
        net = f"127.{secrets.randbelow(250) + 2}.{secrets.randbelow(250) + 2}"
        self.address = {name: f"{net}.{number}" for number, name in enumerate(every, start=2)}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.more: dict[str, dict[str, str]] = {}
        self.seconds: dict[str, float] = {}
        make_secrets(root / "secrets")
        self.key = (root / "secrets" / "operator_key").read_text().strip()

    def url(self, service: str, path: str = "/") -> str:
        """Return the URL of a service.

        Parameters
        ----------
        service : str
        path : str

        Returns
        -------
        str
        """
        return f"http://{self.address[service]}:{PORTS[service]}{path}"

    def volume(self, name: str) -> Path:
        """Return the folder that stands for a volume."""
        folder = self.root / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def log(self, name: str) -> str:
        """Return what a service has printed."""
        return (self.root / f"{name}.log").read_text(errors="replace")

    def _mounted(self, service: Service) -> dict[str, str]:
        paths = {"/run/secrets": str(self.root / "secrets")}
        for mount in service.mounts:
            if mount.kind == "volume":
                paths[mount.target] = str(self.volume(mount.source))
            elif mount.kind == "tmpfs":
                folder = self.root / service.name / mount.target.strip("/").replace("/", "-")
                folder.mkdir(parents=True, exist_ok=True)
                paths[mount.target] = str(folder)
            else:
                paths[mount.target] = str(self._rendered(service, CHECKOUT / mount.source, paths))
        if service.stage:
            paths["/etc/churn/params.yaml"] = str(CHECKOUT / "params.yaml")
        return paths

    def _rendered(self, service: Service, source: Path, paths: dict[str, str]) -> Path:
        """Copy a mounted file, or folder of files, with the names and paths of this machine."""
        if source.suffix == ".py":
            return source
        target = self.root / service.name / "etc" / source.name
        for file in [source] if source.is_file() else source.glob("*.*"):
            copy = target / file.relative_to(source) if source.is_dir() else target
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(self._placed(service, file.read_text(), paths))
        return target

    def _placed(self, service: Service, text: str, paths: dict[str, str]) -> str:
        if paths:
            # In one pass: the replacement of one path may begin like another path.
            targets = "|".join(re.escape(target) for target in sorted(paths, key=len, reverse=True))
            text = re.sub(rf"(?<![\w./-])({targets})(?![\w-])", lambda found: paths[found[1]], text)
        text = re.sub(r"\b(0\.0\.0\.0|127\.0\.0\.1|localhost)(?=[:\s]|$)", self.address[service.name], text)
        names = "|".join(sorted(self.address, key=len, reverse=True))
        return re.sub(rf"(?<![\w.-])({names})(?=:\d)", lambda found: self.address[found[1]], text)

    def _environment(self, service: Service) -> dict[str, str]:
        """Return what the image and the file set, and nothing of this process's own."""
        declared = {**(service.stage.environment if service.stage else {}), **service.environment}
        paths = self._mounted(service)
        values = {name: self._placed(service, value, paths) for name, value in declared.items() if name != "PATH"}
        temporary = {"HOME": paths["/tmp"], "TMPDIR": paths["/tmp"]}  # noqa: S108 -- a key of this run, not a path that is opened
        return {**values, "PATH": f"{BIN}:{os.environ['PATH']}", **temporary, **self.more.get(service.name, {})}

    def _command(self, service: Service) -> list[str]:
        paths = self._mounted(service)
        words = [self._placed(service, word, paths) for word in service.words]
        match service.name:
            case "postgres":
                data = Path(self._environment(service)["PGDATA"])
                as_user = make_cluster(self.root, data, paths, service.environment["POSTGRES_INITDB_ARGS"].split())
                listen = ("-k", paths["/var/run/postgresql"], "-c", f"listen_addresses={self.address['postgres']}")
                return [*as_user, str(find_programs() / words[0]), "-D", str(data), *listen, "-c", "fsync=off", *words[1:]]
            case "minio":
                account = f"{service.environment['MINIO_ROOT_USER']},{(self.root / 'secrets/s3_password').read_text().strip()}"
                address = words[words.index("--address") + 1]
                return [find("rclone"), "serve", "s3", "--auth-key", account, "--addr", address, paths["/data"]]
            case "prometheus" | "alertmanager":
                return [find(service.name, f"prometheus-{service.name}"), *words]
        return [find(words[0]), *words[1:]]

    def _start(self, name: str) -> None:
        service = self.services[name]
        environment, command = self._environment(service), self._command(service)
        with (self.root / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603 -- the commands of our own compose.yaml
                [*killed_with_us(), *command],
                cwd=environment.get("CHURN_HOME", self.root),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _healthy(self, name: str) -> bool:
        """Run the file's own health check; for MinIO's stand-in, try to connect."""
        service = self.services[name]
        kind, *words = service.health
        if kind != "CMD":
            raise ChurnError(f"{name}: its health check is no CMD")
        if name == "minio":
            return self._listens(name)
        placed = [self._placed(service, word, {}) for word in words]
        program = str(find_programs() / placed[0]) if name == "postgres" else find(placed[0])
        check = [program, *placed[1:]]
        try:
            done = subprocess.run(check, cwd=CHECKOUT, capture_output=True, check=False, timeout=30)  # noqa: S603 -- as above
        except subprocess.TimeoutExpired:
            # As an engine takes it: not healthy yet.
            return False
        return done.returncode == 0

    def _listens(self, name: str) -> bool:
        with suppress(OSError), socket.create_connection((self.address[name], PORTS[name]), 1):
            return True
        return False

    def bring_up(self, *names: str) -> None:
        """Start every service, or those named, as soon as its dependencies allow; wait until all are healthy, or done.

        Raises
        ------
        ChurnError
            If one ends with an error, or not all are up within ten minutes.
        """
        began = time.monotonic()
        waiting, up = list(names or self.services), {name for name in self.services if names and name not in names}
        while len(up) < len(self.services):
            for name in [name for name in waiting if self.services[name].dependencies.keys() - NOT_HERE <= up]:
                self._start(name)
                waiting.remove(name)
            for name in self.services.keys() - up - set(waiting):
                if self._is_up(name):
                    up.add(name)
                    self.seconds[name] = time.monotonic() - began
            if time.monotonic() - began > TIMEOUT_SECONDS:
                raise ChurnError(f"not up: {self.services.keys() - up}")
            time.sleep(0.1)

    def _is_up(self, name: str) -> bool:
        code, ends = self.processes[name].poll(), self.services[name].ends
        if code is not None and not (ends and code == 0):
            raise ChurnError(f"{name} ended with {code}:\n{self.log(name)[-3000:]}")
        # A health check is a process: while nobody listens, many of them would take a processor from those that start.
        return code == 0 if ends else self._listens(name) and self._healthy(name)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to every process of a service, and wait for its end.

        Parameters
        ----------
        name : str
        number : int
            The signal.
        """
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        # What it started, and did not stop.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def run(self, name: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command as `docker compose exec NAME WORDS...` would.

        Parameters
        ----------
        name : str
            The service.
        *words : str
            The command.
        **more : str
            More environment variables.

        Returns
        -------
        subprocess.CompletedProcess of str
        """
        environment = {**self._environment(self.services[name]), **more}
        home = environment.get("CHURN_HOME", self.root)
        return subprocess.run(  # noqa: S603 -- what a test or `make stack` names
            [find(words[0]), *words[1:]],
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for name in reversed(list(self.processes)):
            # Of PostgreSQL every process must clean up after itself; SIGQUIT is its immediate shutdown.
            self.kill(name, signal.SIGQUIT if name == "postgres" else signal.SIGKILL)


def _with_dependencies(every: dict[str, Service], names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        found |= {name} | _with_dependencies(every, every[name].dependencies)
    return found
