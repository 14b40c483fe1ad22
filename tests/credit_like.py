"""Invented credit customers, of whom one group's defaults are named more often: by a column that goes with the group."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from churn.contract import Column, Contract, Target

CREDIT = Contract(
    name="credit",
    customer="borrower",
    target=Target(column="defaulted", source="Defaulted", true_level="yes", false_level="no", event="defaults"),
    columns=(
        Column(name="income", source="Income", kind="number"),
        Column(name="debt_ratio", source="Debt ratio", kind="number"),
        Column(name="years_employed", source="Years employed", kind="number"),
        Column(name="gender", source="Gender", kind="category", role="sensitive"),
        Column(name="married", source="Married", kind="category", role="sensitive"),
    ),
)


def credit_like(customers: int, seed: int, gap: float = 1.0) -> pd.DataFrame:
    """Invent customers; the same seed gives the same.

    Parameters
    ----------
    customers, seed : int
    gap : float
        How many standard deviations fewer years the women are employed; who defaults depends on years. With 0 the groups are
        alike.

    Returns
    -------
    pandas.DataFrame, shape (customers, 6)
        In the spelling of the contract's sources.
    """
    rng = np.random.default_rng(seed)
    woman = rng.random(customers) < 0.4
    income, debt, years = rng.normal(size=(3, customers)) - np.outer((0, 0, gap), woman)
    defaulted = rng.random(customers) < expit(-1.2 - 0.6 * income + 0.8 * debt - 0.5 * years)
    return pd.DataFrame(
        {
            "Income": income.round(4),
            "Debt ratio": debt.round(4),
            "Years employed": years.round(4),
            "Gender": np.where(woman, "female", "male"),
            "Married": np.where(rng.random(customers) < 0.5, "yes", "no"),
            "Defaulted": np.where(defaulted, "yes", "no"),
        }
    )
