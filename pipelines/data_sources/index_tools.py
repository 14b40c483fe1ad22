"""The programs that fetch a package as this user configured them: pip and uv, and pip in an environment made for it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

# Wheels only: building a source distribution would run its code.
_SAFE = ("--no-deps", "--only-binary", ":all:", "--require-hashes")
# An index that does not answer is found out in half a minute. What the user has set wins.
_PATIENCE = {"PIP_DEFAULT_TIMEOUT": "15", "PIP_RETRIES": "1", "UV_HTTP_TIMEOUT": "15", "UV_HTTP_RETRIES": "1"}


@dataclass(frozen=True)
class IndexTool:
    """A command that fetches one wheel.

    Attributes
    ----------
    name : str
        For people.
    command : tuple of str
    environment : dict of str to str
    unpacks : bool
        Whether the wheel is found unpacked.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    unpacks: bool

    def fetched_bytes(self, process: psutil.Process, folder: Path) -> int | None:
        """Return about how much of the wheel has arrived.

        Parameters
        ----------
        process : psutil.Process
            The running tool.
        folder : Path
            Where it puts temporary files.

        Returns
        -------
        int or None
            Bytes; None if this system does not tell.
        """
        try:
            if self.unpacks:
                # It unpacks into its cache while it loads: what it has written is about what has arrived.
                return int(process.io_counters().write_chars)
            return max((path.stat().st_size for path in folder.rglob("*.whl")), default=0)
        except (psutil.Error, AttributeError, OSError):
            return None


def index_tools(folder: Path, requirement: Path) -> Iterator[IndexTool]:
    """Yield the tools of this machine, the nearest first.

    Parameters
    ----------
    folder : Path
        An empty folder for all that they write; the wheel, or its content, will be in `fetched` in it.
    requirement : Path
        A requirements file of one line with its hash.

    Yields
    ------
    IndexTool
    """
    environment = _PATIENCE | {
        **os.environ,
        "TMPDIR": str(folder),
        "NO_COLOR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONWARNINGS": "ignore",
    }
    fetched = str(folder / "fetched")

    def pip(python: str, *options: str) -> IndexTool:
        command = (python, "-m", "pip", "download", *_SAFE, *options, "--no-input", "--dest", fetched, "--requirement")
        return IndexTool("pip", (*command, str(requirement)), environment, unpacks=False)

    has_pip = importlib.util.find_spec("pip") is not None
    if has_pip:
        yield pip(sys.executable)
    if uv := _uv():
        command = (uv, "pip", "install", *_SAFE, *_no_index(), "--no-python-downloads", "--python", sys.executable)
        yield IndexTool("uv", (*command, "--target", fetched, "--requirement", str(requirement)), environment, unpacks=True)
    if not has_pip and (python := _python_with_pip(folder / "pip")):
        yield pip(python, "--no-cache-dir")


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def _no_index() -> list[str]:
    """Return uv's options where pip was told to ask no index: who said so to one did not mean the other."""
    if os.environ.get("PIP_NO_INDEX", "").lower() not in ("1", "true", "yes", "on", "y", "t"):
        return []
    links = os.environ.get("PIP_FIND_LINKS", "").split()
    return ["--no-index", *(option for link in links for option in ("--find-links", link))]


def _python_with_pip(folder: Path) -> str | None:
    """Make an environment with the pip that Python brings along; None if this Python brings none."""
    import subprocess
    import venv

    try:
        venv.create(folder, with_pip=True, symlinks=True)
    except (subprocess.CalledProcessError, OSError):
        return None
    return str(folder / "bin" / "python")
