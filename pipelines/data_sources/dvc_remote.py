"""The customers from a DVC remote on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from churn.config.settings import Settings
from churn.errors import ChurnError

# The remote is a folder, and the data are 300 kB; but folders of other machines may stand still.
DVC_SECONDS = 300
# DVC is imported once, not for each command: that takes longer than what it is told here.
ONE_PROCESS = "import json, sys; from dvc.cli import main; sys.exit([main(command) for command in json.loads(sys.argv[1])][-1])"


def pull_from_remote(settings: Settings) -> bool:
    """Pull data.dvc from `CHURN_DVC_REMOTE`; return whether it was there."""
    if not settings.dvc_remote:
        return False
    remote = Path(settings.dvc_remote)
    if not remote.is_dir() or not Path("data.dvc").exists():
        return False
    # For this checkout on this machine only. Without `verify` a corrupt remote is pulled silently.
    chosen = {"core.remote": "machine", "remote.machine.url": str(remote.absolute()), "remote.machine.verify": "true"}
    return _dvc(*(["config", "--local", *one] for one in chosen.items()), ["pull", "--quiet", "data.dvc"]).returncode == 0


def _dvc(*commands: list[str]) -> subprocess.CompletedProcess[str]:
    """Run some commands; it ends as the last of them does."""
    command = [sys.executable, "-c", ONE_PROCESS, json.dumps(commands)]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DVC_SECONDS)  # noqa: S603 -- our own interpreter
    except subprocess.TimeoutExpired:
        raise ChurnError(
            f"dvc {commands[-1][0]} did not end within {DVC_SECONDS} s: check CHURN_DVC_REMOTE, or set CHURN_DATA to a file"
        ) from None
