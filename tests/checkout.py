"""Where the checkout is, for tests that read what is not a module; and where they keep what survives a run."""

import os
import re
from pathlib import Path

# Settings of whoever runs the tests, but for where data comes from: with another contract or port half of them would fail.
FOREIGN_SETTINGS = re.compile(r"(CHURN_(?!(TEST|MUTANTS)_|DVC_REMOTE$)|PREFECT_|MLFLOW_)")
CHECKOUT = Path(__file__).resolve().parents[1]


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "churn-tests"
