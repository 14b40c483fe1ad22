"""Where windows come from, with drift and without: the real customers drawn anew, and the simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from churn.contract import Contract
from churn.data.dataset import read_dataset
from churn.simulation.simulate import simulate

REFERENCE_ROWS = 2_833
POOL_ROWS = 100_000
Change = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


@dataclass(frozen=True)
class Population:
    """A pool that references and windows are drawn from with replacement, so that without a change nothing differs but chance."""

    name: str
    pool: pd.DataFrame

    def draw(self, rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draw customers."""
        return self.pool.iloc[rng.integers(0, len(self.pool), rows)].reset_index(drop=True)

    def window(self, shift: str | None, rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draw a window, changed as the name of a shift says."""
        if shift == "mix":
            return self._mixed(rows, 0.17, rng)
        drawn = self.draw(rows, rng)
        return drawn if shift is None else CHANGES[shift](drawn, rng)

    def _mixed(self, rows: int, share: float, rng: np.random.Generator) -> pd.DataFrame:
        has = self.pool["international_plan"] == 1
        some = int(rng.binomial(rows, share))
        parts = [(self.pool[has], some), (self.pool[~has], rows - some)]
        return pd.concat([part.iloc[rng.integers(0, len(part), n)] for part, n in parts], ignore_index=True)


def load_population(name: str, contract: Contract, data: Path, seed: int) -> Population:
    """Read the real customers, or make the simulated ones up."""
    if name == "real":
        return Population(name, read_dataset(data, contract).features)
    return Population(name, simulate(contract, POOL_ROWS, seed).features)


def _day_minutes(window: pd.DataFrame, _rng: np.random.Generator) -> pd.DataFrame:
    minutes = (window["total_day_minutes"] * 1.1).round(1)
    return window.assign(total_day_minutes=minutes, total_day_charge=(minutes * 0.17).round(2))


def _service_calls(window: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return window.assign(customer_service_calls=window["customer_service_calls"] + 2.0 * (rng.random(len(window)) < 0.2))


def _broken(window: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return window.assign(total_day_charge=rng.permutation(window["total_day_charge"].to_numpy()))


def _missing(window: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return window.assign(account_length=window["account_length"].mask(rng.random(len(window)) < 0.05))


CHANGES: dict[str, Change] = {
    "day minutes": _day_minutes,
    "service calls": _service_calls,
    "broken dependence": _broken,
    "missing": _missing,
}
SHIFTS = (*CHANGES, "mix")
LABELS = {
    "day minutes": "day minutes +10 %",
    "service calls": "20 % call service twice more",
    "broken dependence": "minutes and charge of day broken",
    "missing": "5 % new missing in one column",
    "mix": "international plan 10 % → 17 %",
}
