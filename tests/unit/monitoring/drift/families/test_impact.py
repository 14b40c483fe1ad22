"""How much a shift matters to the model: the difference it makes to the mean log-odds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.drift.detect import detect_drift
from monitoring.drift.profile import ReferenceProfile
from tests.unit.monitoring.fakes import CONTRACT, customers

PER_STATE = 0.1


def ranked(rows: int, seed: int, states: int = 4) -> pd.DataFrame:
    """Customers whose probability follows from their state alone: each adds as much to the log-odds as the one before."""
    frame = customers(rows, seed)
    number = np.arange(rows) % states
    frame["state"] = [f"S{n:02}" for n in number]
    frame["churn_probability"] = 1 / (1 + np.exp(2.0 - PER_STATE * 10 * number))
    return frame


def impact(window: pd.DataFrame, feature: str = "state") -> float:
    profile = ReferenceProfile.of(ranked(1600, 1), CONTRACT)
    found = detect_drift(profile, window, CONTRACT, 0.005)
    (result,) = (one for one in found.results if (one.feature, one.aspect) == (feature, "values"))
    assert result.impact is not None
    return result.impact


def test_levels_as_before_have_none() -> None:
    assert impact(ranked(400, 2)) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("rows", [4, 800])
@pytest.mark.parametrize("gone", range(4))
def test_a_level_that_vanished_matters_as_much_as_it_added(gone: int, rows: int) -> None:
    window = ranked(rows, 2)
    window = window[window["state"] != f"S{gone:02}"]
    # Of the log-odds 0, 1, 2 and 3 one is missing: the mean moves from 1.5 to that of the others.
    assert impact(window) == pytest.approx((6 - gone) / 3 - 1.5, abs=0.05)


def test_of_a_level_that_the_model_never_saw_nothing_is_known() -> None:
    window = ranked(400, 2)
    assert impact(window.assign(state="S03")) == pytest.approx(1.5, abs=0.05)
    # The levels that were there are gone, and add nothing any more; on average they added nothing.
    assert impact(window.assign(state="S50")) == pytest.approx(0.0, abs=0.01)


def test_missing_cells_make_no_impact_of_their_own() -> None:
    window = ranked(800, 2)
    window.loc[window.index[:400], "state"] = None
    assert impact(window) == pytest.approx(0.0, abs=0.02)
