"""What a year came to, a line of JSON for each scenario and seed: runs can be broken off, gone on with, and added to."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Promotion:
    """A model that took over.

    Attributes
    ----------
    day : int
        Of the year, from 0 up.
    worse_by : float
        Its expected log loss on clean customers less that of the model before it, in nats; below 0 it is better.
    trigger : str
    """

    day: int
    worse_by: float
    trigger: str = ""


@dataclass
class Account:
    """What became of one strategy.

    Attributes
    ----------
    log_loss, profit : list of float, one a month
        Expected, per customer; of the model that scored that month.
    trainings : list of int
        Days.
    promotions : list of Promotion
    runs, covariate_alarms, concept_alarms : list of int
        Days of monitoring runs that judged something, and of those of them that alarmed.
    notes : list of str
        What the policy and the gate said when something happened.
    clean_log_loss : float or None
        Of the last model, on clean customers whom no campaign contacts.
    saved : list of (float, float, float, int)
        A campaign each: customers saved as estimated, its interval, and what is true.
    """

    log_loss: list[float] = field(default_factory=list)
    profit: list[float] = field(default_factory=list)
    trainings: list[int] = field(default_factory=list)
    promotions: list[Promotion] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    covariate_alarms: list[int] = field(default_factory=list)
    concept_alarms: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    clean_log_loss: float | None = None
    saved: list[tuple[float, float, float, int]] = field(default_factory=list)


@dataclass
class YearResult:
    """All strategies of one scenario and seed.

    Attributes
    ----------
    event : int or None
        Month of the year, from 0 up, in which something happens.
    accounts : dict of Account
        By strategy.
    cpu_seconds : float
    """

    scenario: str
    seed: int
    customers: int
    event: int | None
    accounts: dict[str, Account]
    cpu_seconds: float = 0.0

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells one result from another."""
        return self.scenario, self.seed, self.customers

    def line(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_line(cls, line: str) -> YearResult:
        """Read what `line` returned."""
        document: dict[str, Any] = json.loads(line)
        accounts = {
            name: Account(**{**one, "promotions": [Promotion(**promotion) for promotion in one["promotions"]]})
            for name, one in document.pop("accounts").items()
        }
        return cls(**document, accounts=accounts)


def read_results(path: Path) -> list[YearResult]:
    """Return the results of a file, none if it is not there; a last line that was torn off does not count."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    return [YearResult.from_line(line) for line in lines[:-1] if line]


def append_result(path: Path, result: YearResult) -> None:
    """Add a result to a file. Several processes may do so at once: a line is one write.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    result : YearResult
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, f"{result.line()}\n".encode())
    finally:
        os.close(file)
