"""Podman and buildah, set up so that they run on this machine without a change to it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from churn.errors import ChurnError
from tools.containers.storage import LEFTOVERS, NETWORKS, RUN_FOLDER, one_at_a_time, render_storage
from tools.postgres import NotHere

# What a container needs beside podman itself: a runtime, addresses and names in networks, a first process (`init: true`).
PROGRAMS = {
    "podman": "podman",
    "buildah": "buildah",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "netavark": "netavark",
    "aardvark-dns": "aardvark-dns",
    "catatonit": "catatonit",
}
ADMINISTRATORS_FOLDERS = ("/usr/sbin", "/sbin")
HELPER_FOLDERS = ("/usr/lib/podman", "/usr/libexec/podman", "/usr/local/libexec/podman")
CGROUPS_V2 = Path("/sys/fs/cgroup/cgroup.controllers")
# More than any of ours needs; `pids_limit` of compose.yaml is below.
MAX_OPEN_FILES, MAX_PROCESSES = 65_536, 4_096
TIMEOUT_SECONDS = 600


class Engine:
    """Podman for the time of a `with` block, with a configuration of its own in a temporary folder, and a storage of its own.

    The user's own configuration or storage is used instead if CONTAINERS_CONF or CONTAINERS_STORAGE_CONF names one. In its own
    nothing runs when the block begins, and nothing when it has ended; only images stay.

    Raises
    ------
    NotHere
        If this machine has no podman, or is not allowed to use it; the message says how to get it.
    """

    def __init__(self) -> None:
        missing = find_missing()
        if missing:
            raise NotHere(f"needs containers: apt-get install -y {' '.join(missing)}")
        if os.geteuid() != 0:
            raise NotHere("needs root: the networks of compose.yaml are closed by the kernel's own means")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="churn-engine-")))
            (folder / "containers.conf").write_text(render_configuration(CGROUPS_V2.exists()))
            (folder / "storage.conf").write_text(render_storage())
            ours = {"CONTAINERS_CONF": folder / "containers.conf", "CONTAINERS_STORAGE_CONF": folder / "storage.conf"}
            self.environment = {name: str(file) for name, file in ours.items()} | os.environ
            if self.has_own_storage:
                stack.enter_context(one_at_a_time(RUN_FOLDER / "lock"))
                stack.callback(self.remove_containers)
                self.remove_containers()
            self._open = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()

    @property
    def has_own_storage(self) -> bool:
        """Return whether all in the storage is ours."""
        return not os.environ.get("CONTAINERS_STORAGE_CONF")

    def remove_containers(self) -> None:
        """Remove all but images."""
        for listed, remove in LEFTOVERS:
            if found := self.run(*listed).stdout.split():
                self.run(*remove, *found)

    def run(
        self, *words: object, check: bool = True, stdin: IO[bytes] | None = None, timeout: float = TIMEOUT_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a program with the engine's configuration, and capture what it prints.

        Parameters
        ----------
        *words : object
            Program and arguments, such as `"podman", "ps"`.
        check : bool
            Whether a failure is an error.
        stdin : file, optional
            What it reads; nothing by default.
        timeout : float
            Seconds.

        Returns
        -------
        subprocess.CompletedProcess of str

        Raises
        ------
        ChurnError
            If it fails and `check` is set, with the end of what it printed.
        """
        command = [str(word) for word in words]
        done = subprocess.run(  # noqa: S603 -- words of our own tools
            command,
            env=self.environment,
            stdin=stdin if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            raise ChurnError(f"{' '.join(command[:3])} … failed with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
        return done

    def podman(self, *words: object) -> str:
        """Run podman, and return what it printed without the last newline."""
        return self.run("podman", *words).stdout.rstrip("\n")

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        """Return what podman knows of a container, an image, a pod or a volume.

        Parameters
        ----------
        kind : str
            `container`, `image`, `pod` or `volume`.
        name : str

        Returns
        -------
        dict
        """
        found = json.loads(self.podman(kind, "inspect", name))
        return dict(found[0] if isinstance(found, list) else found)


def find_missing() -> list[str]:
    """Return the Debian packages that containers need and that are not on this machine."""
    # Those of an administrator may not be on the path of a user.
    everywhere = os.pathsep.join([os.environ.get("PATH", ""), *ADMINISTRATORS_FOLDERS, *HELPER_FOLDERS])
    return sorted(package for name, package in PROGRAMS.items() if shutil.which(name, path=everywhere) is None)


def render_configuration(cgroups_v2: bool) -> str:
    """Return a containers.conf for this machine.

    Parameters
    ----------
    cgroups_v2 : bool
        Whether the machine has control groups in their second version only. Where they are mixed, crun (podman's default) fails.

    Returns
    -------
    str
    """
    # Podman asks for as many open files and processes as a kernel can have. Where it may not give them, no container starts.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    limits = [f"nofile={files}:{files}", f"nproc={MAX_PROCESSES}:{MAX_PROCESSES}"]
    lines = ["[containers]", f"default_ulimits = {json.dumps(limits)}"]
    lines += ["[network]", f"network_config_dir = {json.dumps(str(NETWORKS))}"]
    return "\n".join(lines if cgroups_v2 else [*lines, "[engine]", 'runtime = "runc"']) + "\n"
