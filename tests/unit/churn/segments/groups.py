"""Customers in groups that are known, and why a model answered as it did."""

from __future__ import annotations

import numpy as np
import pandas as pd

from churn.contract import Check, Column, Contract, Sum

CONTRACT = Contract(
    name="small",
    columns=(
        Column(name="service_calls", source="Service calls", kind="integer", unit="calls"),
        Column(name="day_charge", source="Day charge", kind="number", unit="EUR"),
        Column(name="eve_charge", source="Eve charge", kind="number", unit="EUR"),
        Column(name="plan", source="Plan", kind="flag", true_level="Yes", false_level="No"),
        Column(name="region", source="Region", kind="category", levels=("north", "south", "never seen"), nullable=True),
        Column(name="gender", source="Gender", kind="category", role="sensitive"),
    ),
    checks=(Check(column="eve_charge", equals="plan", times=2.0, tolerance=100.0),),
    sums={"bill": Sum(of=("day_charge", "eve_charge"), unit="EUR")},
)


def customers(rows: int = 600, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Most are typical, a tenth each calls a lot, pays a lot, or lives in the south: features, contributions, true group."""
    rng = np.random.default_rng(seed)
    group = np.where(rng.random(rows) < 0.7, 0, rng.integers(1, 4, rows))
    frame = pd.DataFrame(
        {
            "service_calls": np.where(group == 1, 9.0, 1.0) + rng.integers(0, 2, rows),
            "day_charge": np.where(group == 2, 60.0, 20.0) + rng.normal(0, 2, rows),
            "eve_charge": np.where(group == 2, 55.0, 15.0) + rng.normal(0, 2, rows),
            "plan": rng.integers(0, 2, rows).astype(float),
            "region": np.where(group == 3, "south", "north").astype(object),
        }
    )
    reasons = rng.normal(0, 0.05, (rows, 5))
    reasons[group == 1, 0] += 3.0
    reasons[group == 2, 1:3] += 2.0
    reasons[group == 3, 4] -= 4.0
    return frame, reasons, group
