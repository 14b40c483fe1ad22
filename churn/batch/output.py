"""The folder of answers: one run at a time writes it, finished parts are kept, and `_SUCCESS` appears when all are there.

A folder is a run's own or it is not touched: it was empty, or an earlier run left its mark.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from churn.atomic_write import STAGING_PREFIX
from churn.batch.answer_file import REJECTED, Done, read_done, whole_file
from churn.batch.plan import Plan
from churn.errors import ChurnError, InputError
from churn.file_lock import try_lock

SUCCESS, MARK = "_SUCCESS", "_scoring.json"


class OutputFolder:
    """A folder that this run alone writes to."""

    def __init__(self, folder: Path, kept: dict[str, Done], finished: dict[str, Any] | None) -> None:
        self.folder, self.kept, self.finished = folder, kept, finished

    def finish(self, manifest: dict[str, Any]) -> None:
        """Say that all is there. What a killed worker left half is taken away first."""
        _clear(self.folder)
        with whole_file(self.folder / SUCCESS) as staging:
            staging.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")
        (self.folder / MARK).unlink(missing_ok=True)


@contextmanager
def own_folder(folder: Path, plan: Plan, *, overwrite: bool) -> Iterator[OutputFolder]:
    """Take a folder for a run: its own parts that are as this run would make them are kept, its others are removed.

    Parameters
    ----------
    folder : Path
    plan : Plan
        Of this run.
    overwrite : bool
        Whether finished answers of another run may be replaced.

    Yields
    ------
    OutputFolder
        Locked for as long as the `with` block lasts.

    Raises
    ------
    InputError
        If it holds what no run wrote, or the finished answers of another run and `overwrite` is not set; then nothing is touched.
    ChurnError
        If another run is writing to it, or it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{folder}: is no folder") from error
    except OSError as error:
        raise ChurnError(f"{folder}: cannot be written ({error.strerror})") from error
    try:
        if not try_lock(handle):
            raise ChurnError(f"{folder}: another run is writing to it")
        try:
            yield _take(folder, plan, overwrite=overwrite)
        finally:
            _leave(folder)
    finally:
        os.close(handle)


def _take(folder: Path, plan: Plan, *, overwrite: bool) -> OutputFolder:
    finished = _manifest(folder)
    if finished is None and not (folder / MARK).exists() and any(folder.iterdir()):
        raise InputError(f"{folder}: is not empty, and not of churn score; name another folder")
    found = {str(file.relative_to(folder)): read_done(file) for file in _answers(folder)}
    if foreign := sorted(name for name, done in found.items() if done is None and not _is_whole_name(name, plan)):
        raise InputError(f"{folder / foreign[0]}: churn score did not write this; move it, or name another folder")
    wanted = {part.output: part.fingerprint for part in plan.parts}
    kept = {name: done for name, done in found.items() if done is not None and wanted.get(name) == done.fingerprint}
    if finished is not None:
        if finished.get("key") == plan.key and kept.keys() == wanted.keys():
            return OutputFolder(folder, kept, finished)
        if finished.get("key") != plan.key and not overwrite:
            which = f"version {finished['model']['version']} of {finished['input']['path']}"
            raise InputError(
                f"{folder}: holds the finished scores by {which}, and input, model or options are others now; "
                "name another folder, or give --overwrite"
            )
    try:
        # First of all: whoever reads from here on is not told that all is there.
        (folder / MARK).write_bytes(orjson.dumps({"key": plan.key}))
        (folder / SUCCESS).unlink(missing_ok=True)
        _clear(folder)
        for name in found.keys() - kept.keys():
            (folder / name).unlink()
        for file in (folder / REJECTED).rglob("*.parquet"):
            if str(file.relative_to(folder / REJECTED)) not in kept:
                file.unlink()
        _prune(folder)
    except OSError as error:
        raise ChurnError(f"{folder}: cannot be written ({error.strerror})") from error
    return OutputFolder(folder, kept, None)


def _is_whole_name(name: str, plan: Plan) -> bool:
    """Tell whether a file that says nothing of itself has a part's name: a power cut left it torn."""
    return any(part.output == name for part in plan.parts)


def _answers(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        inner = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(("_", ".")) for part in inner.parts):
            yield file


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        said = orjson.loads((folder / SUCCESS).read_bytes())
        return said if isinstance(said, dict) and {"key", "model", "input"} <= said.keys() else None
    except (OSError, ValueError):
        return None


def _clear(folder: Path) -> None:
    for file in folder.rglob(f"{STAGING_PREFIX}*"):
        file.unlink(missing_ok=True)


def _prune(folder: Path) -> None:
    """Take away folders that are empty by now."""
    for inner in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if not any(inner.iterdir()):
            inner.rmdir()


def _leave(folder: Path) -> None:
    """Take the folder away if nothing of a run is in it: a run that failed at once leaves nothing."""
    try:
        left = [path for path in folder.rglob("*") if not path.is_dir() and path.name != MARK]
        if not left:
            (folder / MARK).unlink(missing_ok=True)
            _prune(folder)
            folder.rmdir()
    except OSError:
        pass  # it says nothing wrong where it is
