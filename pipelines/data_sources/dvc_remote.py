"""The customers from a DVC remote on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from churn.config.settings import Settings
from churn.errors import ChurnError

# The remote is a folder, and the data are 300 kB; but folders of other machines may stand still.
DVC_SECONDS = 300


def pull_from_remote(settings: Settings) -> bool:
    """Pull data.dvc from `CHURN_DVC_REMOTE`; return whether it was there."""
    if not settings.dvc_remote:
        return False
    remote = Path(settings.dvc_remote)
    if not remote.is_dir() or not Path("data.dvc").exists():
        return False
    # For this checkout on this machine only. Without `verify` a corrupt remote is pulled silently.
    for name, value in (
        ("core.remote", "machine"),
        ("remote.machine.url", str(remote.absolute())),
        ("remote.machine.verify", "true"),
    ):
        _dvc("config", "--local", name, value)
    return _dvc("pull", "--quiet", "data.dvc").returncode == 0


def _dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dvc", *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DVC_SECONDS)  # noqa: S603 -- our own interpreter
    except subprocess.TimeoutExpired:
        raise ChurnError(
            f"dvc {arguments[0]} did not end within {DVC_SECONDS} s: check CHURN_DVC_REMOTE, or set CHURN_DATA to a file"
        ) from None
