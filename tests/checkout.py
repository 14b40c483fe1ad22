"""Where the checkout is, for tests that read what is not a module; and where they keep what survives a run."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "churn-tests"
