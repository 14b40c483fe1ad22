"""Lives other than the year's: who is scored when, and what becomes of whom."""

from __future__ import annotations

import numpy as np

from benchmarks.year.lives import HORIZON, LIVES, Base, Life, scorings
from churn.contract import load_contract


def test_customers_take_turns_a_base_grows_and_months_are_left_out() -> None:
    turns = [one.places.tolist() for one in scorings(Life("", days=10, every=5, step=1), 7)]
    assert turns[:5] == [[0, 5], [1, 6], [2], [3], [4]]
    assert turns[5:] == turns[:5]
    grown = [len(one.places) for one in scorings(Life("", days=90, growth=0.5), 8)]
    assert grown == [8, 12, 18]
    assert [one.day for one in scorings(LIVES["skipped"], 1)][:6] == [0, 30, 60, 120, 150, 240]


def test_who_leaves_within_the_horizon_is_known_that_day_and_is_somebody_else_afterwards() -> None:
    base, places = Base.of(load_contract(), 60, 7, 28, seed=3), np.arange(60)
    assert len(base.features[0]) == 60
    left, known = base.fate(0, places)
    assert 0 < left.mean() < 0.5
    assert (known[~left] == HORIZON).all()
    assert ((known[left] > 0) & (known[left] <= HORIZON)).all()
    soon = left & (known <= 7)
    before, after = (np.array(base.ids(number, places)) for number in (0, 1))
    assert ((before != after) == soon).all()
    left_later, known_later = base.fate(1, places[left & ~soon])
    assert left_later.all()
    assert (known_later == known[left & ~soon]).all()
