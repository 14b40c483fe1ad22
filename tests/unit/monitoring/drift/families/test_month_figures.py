"""Shares and means of a month, and how many customers are behind each; of nobody they are 0, of 0 customers."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np

from monitoring.drift.families.month_figures import broken_share, level_share, mean_scores, missing_share

MONTH: Any = SimpleNamespace(
    rows=10,
    present=Counter(a=8, b=4),
    levels={"b": Counter(x=3, y=1)},
    broken=Counter(a=2),
    related=Counter(a=5),
    scores=np.array([8.0, 3.0, -4.0]),
)
NOBODY: Any = SimpleNamespace(rows=0, present=Counter(), levels={}, broken=Counter(), related=Counter(), scores=np.zeros(3))
PROFILE: Any = SimpleNamespace(score_columns=["a", "b", "a"])


def said(figures: Any) -> list[list[float]]:
    return [part.tolist() for part in figures]


def test_figures_of_a_month() -> None:
    assert said(mean_scores(PROFILE, "a", MONTH)) == [[1.0, -0.5], [8.0, 8.0]]
    assert said(level_share("b", MONTH, "x")) == [[0.75], [4.0]]
    assert said(level_share("b", MONTH, "z")) == [[0.0], [4.0]]
    assert said(level_share("a", MONTH, "x")) == [[0.0], [8.0]]
    assert said(missing_share("a", MONTH)) == [[0.2], [10.0]]
    assert said(broken_share("a", MONTH)) == [[0.4], [5.0]]


def test_a_month_without_customers_has_figures_of_zero() -> None:
    assert said(mean_scores(PROFILE, "b", NOBODY)) == [[0.0], [0.0]]
    for found in (level_share("b", NOBODY, "x"), missing_share("a", NOBODY), broken_share("a", NOBODY)):
        assert said(found) == [[0.0], [0.0]]
