"""Unit tests that ask for the time pass on another day too: years ahead, at midnight, before a leap day, and in another zone."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from churn.clock import now
from tests.checkout import CHECKOUT

# Where moments are kept, compared and told; other tests run so by hand: pytest --clock MOMENT.
FOLDERS = (
    *("churn/store", "churn/batch", "monitoring/exporter", "pipelines/flows"),
    *("service/rollout", "service/routes", "service/schemas", "service/scoring"),
)
ASKS_FOR_THE_TIME = re.compile(r"\bnow\((UTC)?\)|\btime\.time(_ns)?\(")


@pytest.mark.long
def test_another_day_changes_nothing() -> None:
    year = (now().year + 5) // 4 * 4
    files = [file for name in FOLDERS for file in sorted((CHECKOUT / "tests/unit" / name).rglob("test_*.py"))]
    chosen = [str(file) for file in files if ASKS_FOR_THE_TIME.search(file.read_text())]
    assert len(chosen) > 10
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "not long", "--clock", f"{year}-02-28T23:59:59.99"]
    # Fourteen hours ahead of UTC, said so that no database of zones is needed.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | {"TZ": "AHEAD-14"}
    done = subprocess.run([*command, *chosen], cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
