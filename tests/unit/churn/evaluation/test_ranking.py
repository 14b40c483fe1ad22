"""Customers ranked by score: each threshold contacts exactly who is at or above it, whatever the last bit of a score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.evaluation.ranking import rank

# Few distinct scores, so that many are equal; among them neighbouring floats, 0 and 1.
SCORES = st.sampled_from([0.0, 5e-324, 0.25, np.nextafter(0.25, 1), 0.5, 0.75, np.nextafter(1.0, 0), 1.0])
LABELLED = st.lists(st.tuples(st.booleans(), SCORES), min_size=1, max_size=30)


def columns(labelled: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([int(churned) for churned, _ in labelled]), np.array([score for _, score in labelled])


@given(LABELLED)
def test_every_cut_contacts_exactly_the_groups_before_it(labelled: list[tuple[bool, float]]) -> None:
    outcome, score = columns(labelled)
    ranking = rank(outcome, score)
    assert (np.diff(ranking.cuts) <= 0).all()
    assert ((ranking.cuts >= 0) & (ranking.cuts <= 1)).all()
    for groups, (contacted, reached) in enumerate(zip(ranking.contacted, ranking.reached, strict=True)):
        cut = ranking.cut(groups)
        if groups == 0 and score.max() == 1.0:
            continue  # only a score of exactly 1 cannot be left out
        assert (score >= cut).sum() == contacted
        assert outcome[score >= cut].sum() == reached


@given(LABELLED)
def test_nobody_is_lost_and_scores_fall(labelled: list[tuple[bool, float]]) -> None:
    outcome, score = columns(labelled)
    ranking = rank(outcome, score)
    assert ranking.total == len(labelled) == ranking.contacted[-1]
    assert ranking.reached[-1] == outcome.sum()
    assert ranking.scores.tolist() == sorted(set(score.tolist()), reverse=True)
    assert [int(n) for n in ranking.customers] == [int((score == one).sum()) for one in ranking.scores]


def test_cuts_lie_midway_between_scores() -> None:
    ranking = rank(np.array([1, 0, 0]), np.array([0.8, 0.4, 0.4]))
    assert ranking.cuts.tolist() == pytest.approx([0.9, 0.6, 0.2])
    assert ranking.cut(1) == pytest.approx(0.6)


@given(LABELLED, st.floats(0, 1))
def test_gain_is_the_mean_over_random_choices_in_the_last_group(labelled: list[tuple[bool, float]], share: float) -> None:
    outcome, score = columns(labelled)
    gain = float(rank(outcome, score).gain(share))
    if not outcome.any():
        assert np.isnan(gain)
        return
    left, reached = share * len(score), 0.0
    for one in sorted(set(score.tolist()), reverse=True):
        here = score == one
        taken = min(max(left, 0.0), here.sum())
        reached += taken / here.sum() * outcome[here].sum()
        left -= here.sum()
    assert gain == pytest.approx(reached / outcome.sum(), abs=1e-9)
