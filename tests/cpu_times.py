"""`pytest --cpu-times`: the CPU seconds of each test file, its processes and fixtures included, the dearest first.

What a program used is counted when its parent has waited for it; what an abandoned one used is not.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict

import pytest

PROPERTY = "cpu_times"


class CpuTimes:
    """Measures in the process that runs the tests (a worker of xdist, or the only one), and adds up in the one that reports."""

    def __init__(self, shown: int) -> None:
        self.shown = shown
        self.begun = self._now()
        self.told: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)

    @staticmethod
    def _now() -> tuple[float, float]:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system, time.monotonic()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        if call.when == "teardown":
            cpu, clock = self._now()
            report.user_properties.append((PROPERTY, (cpu - self.begun[0], clock - self.begun[1])))
            self.begun = (cpu, clock)
        return report

    def pytest_collection_finish(self) -> None:
        self.begun = self._now()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == PROPERTY and report.when == "teardown":
                file, _, test = report.nodeid.partition("::")
                self.told[file][test] = tuple(value)

    def pytest_terminal_summary(self, terminalreporter) -> None:
        sums = {file: [sum(part) for part in zip(*tests.values(), strict=True)] for file, tests in self.told.items()}
        terminalreporter.section("CPU seconds, seconds by the clock")
        for file, (cpu, clock) in sorted(sums.items(), key=lambda pair: -pair[1][0])[: self.shown]:
            terminalreporter.write_line(f"{cpu:7.1f} {clock:7.1f} {file}")
            dear = sorted(self.told[file].items(), key=lambda pair: -pair[1][0])
            for test, (part, took) in dear[:6]:
                if part >= 1:
                    terminalreporter.write_line(f"{'':8}{part:7.1f} {took:7.1f} {test}")
        terminalreporter.write_line(f"{sum(cpu for cpu, _ in sums.values()):7.1f} in all, of {len(sums)} files")
