"""The peers' environments: one each under .peers/, made once by uv from pinned versions, made anew when the pins change."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from churn.errors import ChurnError

CHECKOUT = Path(__file__).resolve().parents[2]
PEERS, PINS = CHECKOUT / ".peers", Path(__file__).resolve().parent / "peers"
# Written last: an environment that was cut off half-way has none.
MARK = ".made-from"
INSTALL_SECONDS = 600


def install(name: str, *, peers: Path = PEERS, pins: Path = PINS) -> Path:
    """Make a peer's environment, unless it is there and of these pins.

    Parameters
    ----------
    name : str
        Of its file of pins, and of its folder.
    peers, pins : Path
        Where environments are, and where pins are.

    Returns
    -------
    Path
        Of its programs.

    Raises
    ------
    ChurnError
        If it cannot be made; the message says why.
    """
    folder, wanted = peers / name, pins / f"{name}.txt"
    try:
        digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    except OSError as error:
        raise ChurnError(f"{name} cannot be installed: {error}") from error
    mark = folder / MARK
    if not (mark.is_file() and mark.read_text() == digest):
        beside = Path(sys.executable).with_name("uv")
        uv = str(beside) if beside.is_file() else shutil.which("uv")
        if uv is None:
            raise ChurnError(f"{name} cannot be installed: there is no uv; get it with: pip install uv")
        python = str(folder / "bin" / "python")
        _run(name, [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
        _run(name, [uv, "pip", "install", "--quiet", "--compile-bytecode", "--no-deps", "--python", python, "-r", str(wanted)])
        mark.write_text(digest)
    return folder / "bin"


def _run(name: str, command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())[-300:] or f"exit {error.returncode}"
        raise ChurnError(f"{name} cannot be installed: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ChurnError(f"{name} cannot be installed: {error}") from error
