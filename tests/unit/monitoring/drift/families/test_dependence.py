from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.drift.families.dependence import MAX_PAIRS_LISTED, compare_dependence
from monitoring.drift.null_distribution import MaxDistribution
from monitoring.drift.results import DriftResult
from tests.unit.monitoring.drift.small import PROFILE, REFERENCE, frame_of, sides_of

# As of ten independent tests.
NULL = MaxDistribution.of(np.abs(np.random.default_rng(0).standard_normal((4_000, 10))).max(axis=1))


def compare(window: pd.DataFrame, share: float = 1.0) -> list[DriftResult]:
    return compare_dependence(sides_of(window), NULL, share)


def test_a_window_like_the_reference_shows_its_most_surprising_pair_and_no_more() -> None:
    found = compare(frame_of(300, seed=5))
    assert len(found) == 1
    assert not found[0].drifted
    assert (found[0].aspect, found[0].method) == ("dependence", "rank products")


def test_columns_that_come_apart_are_named_with_their_correlations() -> None:
    window = frame_of(300, seed=5)
    window["charge"] = window["charge"].sample(frac=1, random_state=0).to_numpy()
    first = compare(window)[0]
    assert (first.feature, first.other, first.measure) == ("minutes", "charge", "rank correlation with charge")
    assert first.drifted
    assert first.reference == pytest.approx(REFERENCE[["minutes", "charge"]].corr("spearman").iloc[0, 1], abs=0.01)
    assert first.current == pytest.approx(window[["minutes", "charge"]].corr("spearman").iloc[0, 1], abs=0.1)
    assert first.statistic == pytest.approx(abs(first.current - first.reference))


def test_a_flag_that_hangs_together_with_a_number_anew_is_found() -> None:
    window = frame_of(300, seed=5)
    window["plan"] = (window["calls"] > 1).astype(float)
    found = [one for one in compare(window) if one.drifted]
    assert ("calls", "plan") in {(one.feature, one.other) for one in found}
    pair = next(one for one in found if one.other == "plan")
    assert pair.current > 0.7
    assert pair.reference == pytest.approx(0, abs=0.1)


def test_each_pair_of_columns_once_the_most_surprising_first_and_five_at_most() -> None:
    rng = np.random.default_rng(0)
    same = rng.uniform(0, 100, 400)
    window = frame_of(400).assign(minutes=same, charge=100 - same, calls=(same // 34), plan=(same > 50).astype(float))
    found = compare(window)
    assert len(found) == MAX_PAIRS_LISTED == 5
    assert len({(one.feature, one.other) for one in found}) == 5
    assert [one.p_value for one in found] == sorted(one.p_value for one in found)
    assert all(one.drifted for one in found)


def test_a_share_of_alpha_makes_it_harder_and_a_missing_column_has_no_pairs() -> None:
    window = frame_of(300, seed=5)
    whole, half = compare(window)[0], compare(window, share=0.5)[0]
    assert half.p_value == pytest.approx(min(1.0, 2 * whole.p_value))
    for window in (frame_of(300).drop(columns="charge"), frame_of(300).assign(charge=np.nan)):
        found = compare(window)
        assert all("charge" not in (one.feature, one.other) for one in found)
    assert PROFILE.pairs
