"""Where podman keeps what our commands build and run: apart from everybody else's, used by one command at a time.

So whatever is found in it, once this process has the lock, was left by a run that was killed, and may go.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from churn.errors import ChurnError

FOLDER = Path("/var/lib/churn-containers")
NETWORKS = FOLDER / "networks"
# What does not outlive the machine's next start: mounts, sockets, and who has the lock.
RUN_FOLDER = Path("/run/churn-containers")
# Longer than any of the commands takes.
TIMEOUT_SECONDS = 1_800

# What lists things of a kind, and what removes them; those that use others come first.
LEFTOVERS = (
    (("podman", "pod", "ls", "--quiet"), ("podman", "pod", "rm", "--force", "--time=0")),
    (("podman", "ps", "--all", "--quiet"), ("podman", "rm", "--force", "--volumes", "--time=0")),
    # What a build that was killed has not finished.
    (("buildah", "containers", "--quiet"), ("buildah", "rm")),
    (("podman", "volume", "ls", "--quiet"), ("podman", "volume", "rm", "--force")),
    (("podman", "secret", "ls", "--quiet"), ("podman", "secret", "rm")),
    (("podman", "network", "ls", "--quiet", "--filter=name=^churn-(images|stack|pods)-"), ("podman", "network", "rm", "--force")),
)


def render_storage(folder: Path = FOLDER, run_folder: Path = RUN_FOLDER) -> str:
    """Return a storage.conf.

    It names the driver: what podman runs after a container's end, such as its restart, gets it as a word, and refuses a storage
    that was made without one.

    Parameters
    ----------
    folder : Path
        For images, layers and volumes.
    run_folder : Path
        For what a restart of the machine may remove.

    Returns
    -------
    str
    """
    named = {"driver": "overlay", "graphroot": str(folder), "runroot": str(run_folder)}
    return "".join(["[storage]\n", *(f"{name} = {json.dumps(value)}\n" for name, value in named.items())])


@contextmanager
def one_at_a_time(file: Path, timeout: float = TIMEOUT_SECONDS) -> Iterator[None]:
    """Wait until no other process is within this block.

    Parameters
    ----------
    file : Path
        The lock. The kernel frees it when its holder ends, however that was.
    timeout : float
        Seconds.

    Yields
    ------
    None

    Raises
    ------
    ChurnError
        If it has not become free by then.
    """
    deadline = time.monotonic() + timeout
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ChurnError(
                        f"another command uses {file.parent} for more than {timeout:.0f} s: wait for it, or end it"
                    ) from None
                time.sleep(0.5)
        yield
