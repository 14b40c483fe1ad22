"""Labelled customers: features and what came true."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Labelled:
    """Customers whose outcome is known.

    Attributes
    ----------
    features : pandas.DataFrame, shape (n, n_features)
    outcome : pandas.Series of int64 (0 or 1), shape (n,)
    sensitive : pandas.DataFrame, shape (n, at least 1), or None
        Columns of the role `sensitive`, the same rows, where they are known; for comparing groups, never for a model.
    """

    features: pd.DataFrame
    outcome: pd.Series
    sensitive: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.outcome)
