"""A small reference that can be counted by hand, for the tests of the parts of `monitoring.drift`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from churn.contract import Check, Column, Contract
from monitoring.drift.families.sides import Sides
from monitoring.drift.profile import ReferenceProfile

SMALL = Contract(
    name="small",
    columns=(
        Column(name="minutes", source="Minutes", kind="number", unit="min", nullable=True),
        Column(name="charge", source="Charge", kind="number", nullable=True),
        Column(name="calls", source="Calls", kind="integer", nullable=True),
        Column(name="plan", source="Plan", kind="flag", true_level="Ja", false_level="Nein", nullable=True),
        Column(name="state", source="State", kind="category", levels=("KS", "OH", "TX"), nullable=True),
    ),
    checks=(Check(column="charge", equals="minutes", times=0.5, tolerance=0.01),),
)


def frame_of(rows: int, seed: int = 0) -> pd.DataFrame:
    """Customers whose minutes are uniform from 0 to 100; the charge is half of them."""
    rng = np.random.default_rng(seed)
    minutes = rng.uniform(0, 100, rows)
    return pd.DataFrame(
        {
            "minutes": minutes,
            "charge": minutes / 2,
            "calls": rng.integers(0, 4, rows).astype(float),
            "plan": (rng.random(rows) < 0.3).astype(float),
            "state": np.array(["KS", "OH"], dtype=object)[rng.integers(0, 2, rows)],
            "churn_probability": 0.1 + 0.8 * minutes / 100,
        }
    )


REFERENCE = frame_of(600)
PROFILE = ReferenceProfile.of(REFERENCE, SMALL)


def sides_of(window: pd.DataFrame, alpha: float = 0.01, profile: ReferenceProfile = PROFILE) -> Sides:
    return Sides(profile, profile.summarise([window]), alpha)
