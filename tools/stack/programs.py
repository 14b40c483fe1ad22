"""Programs of this machine that the stack runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from churn.errors import ChurnError
from tools.postgres import NotHere

BIN = Path(sys.executable).parent
PACKAGES = {"haproxy": "haproxy", "prometheus": "prometheus", "alertmanager": "prometheus-alertmanager", "wget": "wget"}


def find(*names: str) -> str:
    """Find a program by any of its names; `NotHere` says how to get it."""
    found = next((path for name in names for path in [str(BIN / name), shutil.which(name)] if path and Path(path).exists()), None)
    if found is None:
        raise NotHere(f"needs {names[0]}: apt-get install -y {PACKAGES.get(names[0], names[0])}")
    return found


def killed_with_us() -> list[str]:
    """Return the words to put before a command that must not outlive this process."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def run_checked(*words: object) -> None:
    """Run a command; ChurnError if it fails."""
    command = [str(word) for word in words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False, timeout=120)  # noqa: S603 -- PostgreSQL's own programs
    if done.returncode != 0:
        raise ChurnError(f"{words[0]} failed with {done.returncode}")
