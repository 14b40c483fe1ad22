"""compose.yaml without an engine: its commands run on this machine, in its order, each as if in a container of its own.

A service's name is a loopback address of its own, a mount a folder, an image the program itself. MinIO is stood in for by `rclone
serve s3`; Grafana is left out. What an engine alone does is not proved: images, users, read-only roots, networks, limits.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from benchmarks.postgres import somebody_but_root
from deploy.make_secrets import make_secrets
from tests.integration.postgres import find_programs
from tests.unit.deploy.composition import PORTS, Service, read_services
from tests.unit.deploy.dockerfile import CHECKOUT

BIN = Path(sys.executable).parent
NOT_HERE = {"grafana", "minio-volume"}
TIMEOUT_SECONDS = 600
PACKAGES = {"haproxy": "haproxy", "prometheus": "prometheus", "alertmanager": "prometheus-alertmanager", "wget": "wget"}


def find(*names: str) -> str:
    found = next((path for name in names for path in [str(BIN / name), shutil.which(name)] if path and Path(path).exists()), None)
    if found is None:
        pytest.skip(f"needs {names[0]}: apt-get install -y {PACKAGES.get(names[0], names[0])}")
    return found


class Stack:
    """The services of compose.yaml, or those that are named with all that they depend on."""

    def __init__(self, root: Path, names: Iterable[str] | None = None) -> None:
        self.root = root
        every = read_services()
        wanted = _with_dependencies(every, names or every) - NOT_HERE
        self.services = {name: service for name, service in every.items() if name in wanted}
        # Nobody else's: of 65,000 nets of this machine's own.
        net = f"127.{secrets.randbelow(250) + 2}.{secrets.randbelow(250) + 2}"
        self.address = {name: f"{net}.{number}" for number, name in enumerate(every, start=2)}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.more: dict[str, dict[str, str]] = {}
        self.seconds: dict[str, float] = {}
        make_secrets(root / "secrets")
        self.key = (root / "secrets" / "operator_key").read_text().strip()

    def url(self, service: str, path: str = "/") -> str:
        """Where this host finds a service: by the port that it publishes, or else listens on."""
        return f"http://{self.address[service]}:{PORTS[service]}{path}"

    def volume(self, name: str) -> Path:
        folder = self.root / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def log(self, name: str) -> str:
        return (self.root / f"{name}.log").read_text(errors="replace")

    # -- what a container would see, put where it is on this machine

    def mounted(self, service: Service) -> dict[str, str]:
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
        """Copy a mounted file, or folder of files, with names and paths as they are here."""
        if source.suffix == ".py":
            return source
        target = self.root / service.name / "etc" / source.name
        for file in [source] if source.is_file() else source.glob("*.*"):
            copy = target / file.relative_to(source) if source.is_dir() else target
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(self.placed(service, file.read_text(), paths))
        return target

    def placed(self, service: Service, text: str, paths: dict[str, str]) -> str:
        if paths:
            # In one go: what a path became may begin like another one.
            targets = "|".join(re.escape(target) for target in sorted(paths, key=len, reverse=True))
            text = re.sub(rf"(?<![\w./-])({targets})(?![\w-])", lambda found: paths[found[1]], text)
        text = re.sub(r"\b(0\.0\.0\.0|127\.0\.0\.1|localhost)(?=[:\s]|$)", self.address[service.name], text)
        names = "|".join(sorted(self.address, key=len, reverse=True))
        return re.sub(rf"(?<![\w.-])({names})(?=:\d)", lambda found: self.address[found[1]], text)

    def environment(self, service: Service) -> dict[str, str]:
        """Nothing but what the image and the file say."""
        declared = {**(service.stage.environment if service.stage else {}), **service.environment}
        paths = self.mounted(service)
        said = {name: self.placed(service, value, paths) for name, value in declared.items() if name != "PATH"}
        temporary = {"HOME": paths["/tmp"], "TMPDIR": paths["/tmp"]}  # noqa: S108
        return {**said, "PATH": f"{BIN}:{os.environ['PATH']}", **temporary, **self.more.get(service.name, {})}

    def command(self, service: Service) -> list[str]:
        paths = self.mounted(service)
        words = [self.placed(service, word, paths) for word in service.words]
        match service.name:
            case "postgres":
                return self._postgres(service, words)
            case "minio":
                account = f"{service.environment['MINIO_ROOT_USER']},{(self.root / 'secrets/s3_password').read_text().strip()}"
                address = words[words.index("--address") + 1]
                return [find("rclone"), "serve", "s3", "--auth-key", account, "--addr", address, paths["/data"]]
            case "prometheus" | "alertmanager":
                return [find(service.name, f"prometheus-{service.name}"), *words]
        return [find(words[0]), *words[1:]]

    def _postgres(self, service: Service, words: list[str]) -> list[str]:
        """What the image's entrypoint does: make the cluster once, run its scripts, then become the server."""
        paths = self.mounted(service)
        here, data = find_programs(), Path(self.environment(service)["PGDATA"])
        sockets = paths["/var/run/postgresql"]
        # It refuses to be root, and whom it is then must get here.
        for folder in (self.root, self.root / "secrets"):
            folder.chmod(0o755)
        as_user = somebody_but_root(data.parent)
        somebody_but_root(Path(sockets))
        if not data.exists():
            options = service.environment["POSTGRES_INITDB_ARGS"].split()
            password = f"--pwfile={self.root}/secrets/postgres_password"
            run(*as_user, here / "initdb", "--no-sync", "-U", "postgres", password, "--auth-local=trust", *options, "-D", data)
            with (data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all all scram-sha-256\n")
            server = (*as_user, here / "pg_ctl", "-w", "-s", "-D", data, "-l", data / "log")
            run(*server, "-o", f"-k {sockets} -c listen_addresses=", "start")
            scripts = sorted(Path(paths["/docker-entrypoint-initdb.d"]).iterdir())
            for script in scripts:
                run(here / "psql", "-X", "-v", "ON_ERROR_STOP=1", "-h", sockets, "-U", "postgres", "-f", script)
            run(*server, "stop")
        listen = f"listen_addresses={self.address['postgres']}"
        return [*as_user, str(here / words[0]), "-D", str(data), "-k", sockets, "-c", listen, "-c", "fsync=off", *words[1:]]

    # -- life

    def start(self, name: str) -> None:
        service = self.services[name]
        environment, command = self.environment(service), self.command(service)
        with (self.root / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*_ends_with_us(), *command],
                cwd=environment.get("CHURN_HOME", self.root),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def healthy(self, name: str) -> bool:
        """What the file's own check says; of what has none here, whether it listens."""
        service = self.services[name]
        kind, *words = service.health
        assert kind == "CMD"
        if name == "minio":
            with suppress(OSError), socket.create_connection((self.address[name], PORTS[name]), 1):
                return True
            return False
        placed = [self.placed(service, word, {}) for word in words]
        program = str(find_programs() / placed[0]) if name == "postgres" else find(placed[0])
        done = subprocess.run([program, *placed[1:]], cwd=CHECKOUT, capture_output=True, check=False, timeout=30)
        return done.returncode == 0

    def bring_up(self, *names: str) -> None:
        """Start every service, or those named, as soon as its dependencies allow; wait until all are healthy, or done."""
        began = time.monotonic()
        waiting, settled = list(names or self.services), {name for name in self.services if names and name not in names}
        while len(settled) < len(self.services):
            for name in [name for name in waiting if self.services[name].dependencies.keys() - NOT_HERE <= settled]:
                self.start(name)
                waiting.remove(name)
            for name in self.services.keys() - settled - set(waiting):
                if self._settled(name):
                    settled.add(name)
                    self.seconds[name] = time.monotonic() - began
            assert time.monotonic() - began < TIMEOUT_SECONDS, f"not up: {self.services.keys() - settled}"
            time.sleep(0.1)

    def _settled(self, name: str) -> bool:
        code = self.processes[name].poll()
        if self.services[name].ends:
            assert code in (None, 0), f"{name} ended with {code}:\n{self.log(name)[-3000:]}"
            return code == 0
        assert code is None, f"{name} ended with {code}:\n{self.log(name)[-3000:]}"
        return self.healthy(name)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to everything in the container."""
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
        """`docker compose exec NAME WORDS...`."""
        environment = {**self.environment(self.services[name]), **more}
        home = environment.get("CHURN_HOME", self.root)
        return subprocess.run(
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


def _ends_with_us() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def run(*words: str | Path) -> None:
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=False, check=False, timeout=120)
    assert done.returncode == 0, words
