"""Run tests on a mutant, in a copy of the tree and a process forked from one that has the heavy libraries in memory."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

Outcome = Literal["failed", "passed", "timed out"]
# None of ours, and none that reads the environment at import, as Prefect and MLflow do.
PRELOADED = (
    *("pytest", "numpy", "pandas", "pyarrow.parquet", "scipy.stats", "sklearn.pipeline", "sklearn.linear_model", "coverage"),
    *("pydantic_settings", "fastapi", "sqlalchemy", "typer", "rich.table", "httpx2"),
)
# Plugins that were in memory before pytest began are no fault.
QUIET = ("-p", "no:cacheprovider", "--durations=0", "--tb=short", "-W", "ignore::pytest.PytestAssertRewriteWarning")
TEST_SECONDS = 40
NO_TESTS = 5


def preload() -> None:
    """Import what most tests need."""
    for name in PRELOADED:
        importlib.import_module(name)


def copy_tree(root: Path, target: Path) -> None:
    """Copy the files of a checkout that git knows or would add, and link its environment.

    Parameters
    ----------
    root : Path
        The checkout.
    target : Path
    """
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607 -- our words
        cwd=root, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    (target / ".venv").symlink_to((root / ".venv").resolve())


def run_tests(tree: Path, nodes: list[str], *, max_seconds: float, output: Path, options: tuple[str, ...] = ("-x",)) -> Outcome:
    """Run tests in a copy of the tree, and end whatever they leave behind.

    Parameters
    ----------
    tree : Path
        The copy.
    nodes : list of str
        Test files and single tests.
    max_seconds : float
        How long all of them may take.
    output : Path
        Where pytest's words go.
    options : tuple of str
        More options of pytest.

    Returns
    -------
    {"failed", "passed", "timed out"}
    """
    # A file that the copy lacks would end pytest as a failure does.
    nodes = [node for node in nodes if (tree / node.partition("::")[0]).is_file()]
    if not nodes:
        return "passed"
    child = os.fork()
    if child == 0:
        _run_in_child(tree, [*options, *nodes], output)
    ended, status = 0, 0
    until = time.monotonic() + max_seconds
    while not ended and time.monotonic() < until:
        time.sleep(0.05)
        ended, status = os.waitpid(child, os.WNOHANG)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not ended:
        os.waitpid(child, 0)
        return "timed out"
    code = os.waitstatus_to_exitcode(status)
    return "passed" if code in (0, NO_TESTS) else "failed"


def failed_tests(output: str) -> list[str]:
    """Return the tests that pytest's summary names as failed.

    Examples
    --------
    >>> summary = ["1 failed", "FAILED tests/a.py::test[x y] - assert 0", "ERROR tests/b.py::test"]
    >>> failed_tests(chr(10).join(summary))
    ['tests/a.py::test[x y]', 'tests/b.py::test']
    """
    return re.findall(r"^(?:FAILED|ERROR) (\S+?::.*?)(?: - .*)?$", output, re.MULTILINE)


def _run_in_child(tree: Path, arguments: list[str], output: Path) -> None:
    os.setsid()
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(tree), os.environ.get("CHURN_MUTANTS_PATH"))))
    import pytest

    code = 3
    try:
        code = int(pytest.main([*QUIET, *arguments]))
    finally:
        sys.stdout.flush()
        os._exit(code)
