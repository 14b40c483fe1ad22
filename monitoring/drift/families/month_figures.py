"""What is compared of months: the same figures as of a window, and how many customers are behind each."""

from __future__ import annotations

from collections import Counter

import numpy as np

from monitoring.drift.months import Figures
from monitoring.drift.profile import ReferenceProfile
from monitoring.drift.sums import Sums


def mean_scores(profile: ReferenceProfile, name: str, month: Sums) -> Figures:
    """Return the mean of each rank score of a number.

    Parameters
    ----------
    profile : ReferenceProfile
        Of the reference.
    name : str
        The column.
    month : Sums
        Of the profile that it is compared by.

    Returns
    -------
    tuple of ndarray, shape (n_scores,) each
        The means, and how many customers are behind each.
    """
    scores = month.scores[[owner == name for owner in profile.score_columns]]
    return scores / max(month.present[name], 1), np.full(scores.shape, float(month.present[name]))


def level_share(name: str, month: Sums, level: str) -> Figures:
    """Return the share of a level.

    Parameters
    ----------
    name : str
        The column.
    month : Sums
        Of the profile that it is compared by.
    level : str
        As sums spell it.

    Returns
    -------
    tuple of ndarray, shape (1,) each
        The share, and how many customers are behind it.
    """
    return _share(month.levels.get(name, Counter())[level], month.present[name])


def missing_share(name: str, month: Sums) -> Figures:
    """Return the share of missing values.

    Parameters
    ----------
    name : str
        The column.
    month : Sums
        Of the profile that it is compared by.

    Returns
    -------
    tuple of ndarray, shape (1,) each
        The share, and how many customers are behind it.
    """
    return _share(month.rows - month.present[name], month.rows)


def broken_share(name: str, month: Sums) -> Figures:
    """Return the share of customers who break the relation of a column.

    Parameters
    ----------
    name : str
        The column.
    month : Sums
        Of the profile that it is compared by.

    Returns
    -------
    tuple of ndarray, shape (1,) each
        The share, and how many customers are behind it.
    """
    return _share(month.broken[name], month.related[name])


def _share(counted: int, rows: int) -> Figures:
    return np.array([counted / max(rows, 1)]), np.array([float(rows)])
