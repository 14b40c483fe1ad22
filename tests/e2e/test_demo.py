from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import CHECKOUT, FOREIGN_SETTINGS


def test_the_loop_closes_on_real_customers(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not FOREIGN_SETTINGS.match(name)}
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli.main", "demo", "--out", str(out)],
        cwd=CHECKOUT,
        env=environment | {"CHURN_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)  # noqa: T201 - the closing table, for whoever reads the log with -s
    assert "the loop closed" in done.stdout
    assert (out / "windows.png").read_bytes().startswith(b"\x89PNG")
    assert b"<html" in (out / "last-monitoring-run.html").read_bytes()[:10_000].lower()
