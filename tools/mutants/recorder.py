"""A pytest plugin: which lines of our packages each test runs, and how long it takes, one JSON file for each test file.

`python -m tools.mutants --map` runs it. The lines that a test runs in processes of its own are added by `sitecustomize.py`.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

from tools.mutants.coverage_map import digest, map_file
from tools.mutants.sample import PACKAGES


class Recorder:
    """Watches the tests of one file after the other."""

    def __init__(self, root: Path, folder: Path, traces: Path) -> None:
        self._root, self._folder, self._traces = root, folder, traces
        self._file: Path | None = None
        self._nodes: dict[str, dict[str, Any]] = {}
        self._coverage = _new_coverage(self._root)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note which lines a test runs, its fixtures included."""
        if item.path != self._file:
            self._write()
            self._file = item.path
        self._nodes[item.nodeid] = {"seconds": 0.0, "passed": True, "lines": {}}
        self._coverage.switch_context(item.nodeid)
        started = time.monotonic()
        result = yield
        self._nodes[item.nodeid]["seconds"] = round(time.monotonic() - started, 3)
        self._coverage.switch_context("")
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Leave out a test that does not pass."""
        if not report.passed:
            self._nodes[report.nodeid]["passed"] = False

    def pytest_sessionfinish(self) -> None:
        """Write what the last file's tests ran."""
        self._write()

    def _write(self) -> None:
        self._coverage.stop()
        if self._file is not None:
            with warnings.catch_warnings():
                # A file whose tests run programs only has nothing of its own.
                warnings.simplefilter("ignore", coverage.exceptions.CoverageWarning)
                data = self._coverage.get_data()
            for path in data.measured_files():
                inside = Path(path).relative_to(self._root).as_posix()
                for line, nodes in data.contexts_by_lineno(path).items():
                    for node in filter(None, nodes):
                        self._nodes[node]["lines"].setdefault(inside, []).append(line)
            for trace in self._traces.glob("*.json"):
                found = json.loads(trace.read_text(encoding="utf-8"))
                if found["node"] in self._nodes:
                    lines = self._nodes[found["node"]]["lines"]
                    for path, more in found["lines"].items():
                        lines[path] = sorted({*lines.get(path, []), *more})
                    trace.unlink()
            passed = {name: node for name, node in self._nodes.items() if node.pop("passed")}
            sources = {path: digest(self._root / path) for node in passed.values() for path in node["lines"]}
            known = {"digest": digest(self._file), "sources": sources, "nodes": passed}
            map_file(self._folder, self._file.relative_to(self._root)).write_text(json.dumps(known), encoding="utf-8")
        self._nodes = {}
        self._coverage = _new_coverage(self._root)
        self._coverage.start()


def _new_coverage(root: Path) -> coverage.Coverage:
    return coverage.Coverage(data_file=None, config_file=False, include=[f"{root}/{package}/*" for package in PACKAGES])


def pytest_configure(config: pytest.Config) -> None:
    """Watch this run."""
    config.pluginmanager.register(
        Recorder(Path.cwd(), Path(os.environ["CHURN_MUTANTS_MAP"]), Path(os.environ["CHURN_MUTANTS_TRACES"]))
    )
