"""Customers of a company where a tenth has a plan: calibrated, until somebody says otherwise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from churn.contract import Contract

CONTRACT = Contract.model_validate(
    {
        "name": "grouped",
        "columns": [
            {"name": "minutes", "source": "Minutes", "kind": "number", "unit": "minutes"},
            {"name": "tenure", "source": "Tenure", "kind": "number", "unit": "months"},
            {"name": "plan", "source": "Plan", "kind": "flag"},
            {"name": "area", "source": "Area", "kind": "category", "levels": ["north", "south", "east"]},
        ],
    }
)


def draw(rows: int, seed: int | np.random.Generator, *, worse: float = 0.0, fewer: float = 0.0) -> pd.DataFrame:
    """Draw customers. Of those with the plan a share `worse` leaves whatever the model says; `fewer` of the others stay."""
    rng = np.random.default_rng(seed)
    minutes = rng.normal(180, 50, rows)
    p = 1 / (1 + np.exp(-(-2.2 + (minutes - 180) / 60)))
    plan = rng.random(rows) < 0.1
    left = rng.random(rows) < p
    left |= plan & (rng.random(rows) < worse)
    left &= plan | (rng.random(rows) >= fewer)
    return pd.DataFrame(
        {
            "churn_probability": p,
            "churned": left.astype(float),
            "minutes": minutes,
            "tenure": rng.uniform(0, 72, rows).round(),
            "plan": plan.astype(float),
            "area": rng.choice(np.array(["north", "south", "east"], dtype=object), rows),
        }
    )
