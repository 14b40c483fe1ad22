"""Scores of folds, kept in a file as they are made: a comparison that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# A fold's scores depend on these, beside the customers: if one is changed, nothing kept stands for it.
SOURCES = ("benchmarks/model/*.py", "churn/modeling/**/*.py", "churn/config/params.py", "requirements.lock")


def code_digest(root: Path = ROOT) -> str:
    """Return 16 hexadecimal digits that stand for the code that makes scores.

    Parameters
    ----------
    root : Path
        Of the checkout.
    """
    found = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(root.glob(pattern)):
            found.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


class KeptScores:
    """A file of one JSON line a fold.

    Parameters
    ----------
    path : Path
    about : dict
        What the scores depend on: only lines that say the same count. The others stay: they may be of another run.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self._path = path
        self._about = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
        self._found: dict[tuple[str, int], dict[str, Any]] = {}
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        for line in lines:
            try:
                kept = json.loads(line)
            except ValueError:
                continue  # it was stopped while it wrote
            if kept.pop("about", None) == self._about:
                self._found[kept["baseline"], kept["fold"]] = kept

    def __len__(self) -> int:
        return len(self._found)

    def get(self, baseline: str, fold: int) -> dict[str, Any] | None:
        """Return the scores of a fold, if they are kept."""
        return self._found.get((baseline, fold))

    def keep(self, scores: dict[str, Any]) -> None:
        """Keep the scores of a fold; they name their `baseline` and `fold`."""
        self._found[scores["baseline"], scores["fold"]] = scores
        self._path.parent.mkdir(parents=True, exist_ok=True)
        before = self._path.read_bytes() if self._path.exists() else b""
        with self._path.open("a", encoding="utf-8") as file:
            # After a torn line its rest would spoil this one too.
            file.write("\n" * (bool(before) and not before.endswith(b"\n")) + json.dumps({"about": self._about, **scores}) + "\n")
