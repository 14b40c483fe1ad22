"""Columns that windows and references have beside the contract's features, and how a column is read as numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from monitoring.drift.rank_scores import Floats

# The model's answer, the answer of the very pipeline that is served, and what came true.
PROBABILITY, SERVED, OUTCOME = "churn_probability", "served_probability", "churned"
# The service's answer equals the pipeline's to 1e-9, and not to the last digit. Where many customers share one score, as with
# rules, a last digit would put all of them on one side of the reference's.
SAME_DIGITS = 9


def numbers_of(frame: pd.DataFrame, name: str) -> Floats:
    """Return a column as numbers.

    Parameters
    ----------
    frame : pandas.DataFrame, shape (n, m)
        Rows of a window or a reference.
    name : str
        A column; it may be absent.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where a value is missing or not a number, and everywhere if the column is absent. Probabilities are rounded to the
        digits that mean something.
    """
    if name not in frame:
        return np.full(len(frame), np.nan)
    column = frame[name]
    if column.dtype == object:
        column = pd.to_numeric(column, errors="coerce")
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(values.round(SAME_DIGITS)) if name == PROBABILITY else values


def as_served(reference: pd.DataFrame) -> pd.DataFrame:
    """Return a reference with the answers of the very model that answers the windows, where it has them.

    Out-of-fold answers, which tell how good a model is, come from other models: with few distinct answers their steps alone
    would look like drift.
    """
    return reference.assign(**{PROBABILITY: reference[SERVED]}) if SERVED in reference else reference
