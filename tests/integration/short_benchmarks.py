"""A benchmark's short form, run by its one command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.checkout import CHECKOUT
from tests.integration.preloaded import Preloaded


def run_short(name: str, out: Path, data: Path | None = None, *, forks: Preloaded | None = None, **more: str) -> dict[str, Any]:
    module, arguments = f"benchmarks.{name}", ["--short", "--out", str(out)]
    environment = dict(os.environ) | ({} if data is None else {"CHURN_DATA": str(data)}) | more
    out.parent.mkdir(parents=True, exist_ok=True)
    printed, errors = out.with_suffix(".out"), out.with_suffix(".err")
    if forks is None:
        command = [sys.executable, "-W", "error", "-m", module, *arguments]
        with printed.open("w") as said, errors.open("w") as wrong:
            code = subprocess.run(command, cwd=CHECKOUT, env=environment, stdout=said, stderr=wrong, check=False).returncode
    else:
        code = forks.run(module, arguments, environment, (printed, errors))
    assert code == 0, errors.read_text()
    assert printed.read_text().strip(), "it prints a table"
    document: dict[str, Any] = json.loads(out.read_text())
    return document
