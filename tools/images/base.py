"""The base image: the one that is given, or one made of Debian's packages where no registry of images can be reached."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from churn.errors import ChurnError
from tools.containers.engine import Engine
from tools.postgres import NotHere

SUITE = "bookworm"
BASE = f"localhost/churn-base:{SUITE}"
# What the Dockerfile asks of a base: Python with venv, and certificate authorities.
PACKAGES = "python3,python3-venv,ca-certificates"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Nobody reads these in a container; the licences stay.
LEFT_OUT = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)
# Debian mends its packages: an older base is made anew.
MAX_AGE_SECONDS = 14 * 24 * 3600


def ensure_base(engine: Engine, wanted: str = BASE) -> str:
    """Return the name of a base image that is there, and make Debian's if it is wanted and missing, or two weeks old.

    Parameters
    ----------
    engine : Engine
    wanted : str
        A name that the engine knows or can pull.

    Returns
    -------
    str

    Raises
    ------
    NotHere
        If Debian's base is wanted and this machine cannot make it.
    """
    if wanted != BASE:
        if engine.run("podman", "image", "exists", wanted, check=False).returncode != 0:
            engine.run("podman", "pull", "--quiet", wanted)
    elif not _is_fresh(engine):
        _make_base(engine)
    return wanted


def _is_fresh(engine: Engine) -> bool:
    made = engine.run("podman", "image", "inspect", "--format", "{{.Created.Unix}}", BASE, check=False)
    return made.returncode == 0 and time.time() - int(made.stdout) < MAX_AGE_SECONDS


def _make_base(engine: Engine) -> None:
    missing = [] if shutil.which("mmdebstrap") else ["mmdebstrap"]
    if not KEYRING.exists():
        missing.append("debian-archive-keyring")
    if missing:
        raise NotHere(f"needs a base image: apt-get install -y {' '.join(missing)}, or give one: make images BASE=NAME")
    options = ["--quiet", "--variant=minbase", f"--include={PACKAGES}", *(f"--dpkgopt={rule}" for rule in LEFT_OUT)]
    # Its temporary folder is closed to the account that apt would change to.
    # A machine that stops in between begins again: dpkg needs not wait for its disk after each file.
    options.append("--dpkgopt=force-unsafe-io")
    options += [f"--aptopt={line}" for line in ('APT::Sandbox::User "root"', *_apt_proxies())]
    with subprocess.Popen(["mmdebstrap", *options, SUITE, "-"], stdout=subprocess.PIPE) as made:  # noqa: S603, S607 -- our words
        engine.run("podman", "import", "--quiet", "-", BASE, stdin=made.stdout)
    if made.returncode != 0:
        engine.run("podman", "image", "rm", "--force", BASE, check=False)
        raise ChurnError(f"mmdebstrap failed with {made.returncode}: what it said is above")


def _apt_proxies() -> list[str]:
    """Return the proxies that this machine's apt uses: mmdebstrap's own apt starts without any configuration."""
    if not shutil.which("apt-config"):
        return []
    command = ["apt-config", "dump", "Acquire"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 -- our words
    return [line for line in found.splitlines() if "Proxy" in line and '""' not in line]
