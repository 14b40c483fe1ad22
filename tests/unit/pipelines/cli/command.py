"""What a run of the command gives, and CSV files to run it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Churn = Callable[..., Result]


def assert_one_line(said: Result, code: int, *words: str) -> None:
    assert said.code == code
    assert said.err.startswith("churn: ")
    assert said.err.count("\n") == 1, said.err
    for word in words:
        assert word in said.err


def lines_of(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text().splitlines()]


def rewritten(path: Path, rows: list[list[str]]) -> Path:
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return path
