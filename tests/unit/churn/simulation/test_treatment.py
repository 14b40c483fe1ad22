"""Campaigns change what the contacted do, and nothing about anybody else; the truth is kept."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from churn.contract import Contract, load_contract
from churn.errors import InputError
from churn.simulation.life import Month, live
from churn.simulation.treatment import Reaction, TreatedBase, TreatedMonth


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract()


@pytest.fixture(scope="module")
def months(contract: Contract) -> list[Month]:
    return list(live(contract, 4_000, 6, seed=5))


def likely(month: Month) -> np.ndarray:
    """Choose who is likely to leave, and every fourth of the others, of whom most would stay."""
    return np.asarray((month.probability > 0.3) | (np.arange(len(month.probability)) % 4 == 0))


def ids_of(month: Month) -> list[str]:
    ids = month.customers.customer_id
    assert ids is not None
    return list(ids)


def treated(months: list[Month], reaction: Reaction | None = None, seed: int = 5) -> list[TreatedMonth]:
    base = TreatedBase(seed, reaction or Reaction())
    return [base.contact(month, likely(month)) for month in months]


def test_the_same_seed_gives_the_same_outcomes_and_another_others(months: list[Month]) -> None:
    first, again, other = treated(months), treated(months), treated(months, seed=6)
    for one, two in zip(first, again, strict=True):
        assert one.month.customers.labelled.equals(two.month.customers.labelled)
        assert ids_of(one.month) == ids_of(two.month)
        assert (one.month.known_after == two.month.known_after).all()
    assert any((one.saved != two.saved).any() for one, two in zip(first, other, strict=True))


def test_who_is_not_contacted_does_what_they_would_have_done(months: list[Month]) -> None:
    for before, after in zip(months, treated(months, Reaction(sleeping_dogs=0.5)), strict=True):
        untouched = ~after.contacted
        assert before.customers.features is after.month.customers.features
        assert before.probability is after.month.probability
        left = after.month.customers.labelled.to_numpy()
        assert (left[untouched] == before.customers.labelled.to_numpy()[untouched]).all()
        assert (after.month.known_after[untouched] == before.known_after[untouched]).all()
        assert not (after.saved | after.driven_away)[untouched].any()


def test_the_truth_adds_up(months: list[Month]) -> None:
    for after in treated(months, Reaction(sleeping_dogs=0.5)):
        left = after.month.customers.labelled.to_numpy() == 1
        assert (left == ((after.would_leave & ~after.saved) | after.driven_away)).all()
        assert after.saved.any()
        assert after.driven_away.any()
        assert not (after.saved & after.driven_away).any()
        # Who was saved is known to have stayed when all others who stayed are.
        assert (after.month.known_after[~left] == 30).all()


def test_acceptance_is_the_share_that_was_asked_for_and_differs_by_customer(months: list[Month]) -> None:
    for share in (0.0, 0.3, 0.6):
        found = treated(months, Reaction(acceptance=share))
        asked = sum(int((one.contacted & one.would_leave).sum()) for one in found)
        saved = sum(int(one.saved.sum()) for one in found)
        assert saved / asked == pytest.approx(share, abs=0.04)
        assert not sum(int(one.driven_away.sum()) for one in found)
    low, high = found[0].acceptance.min(), found[0].acceptance.max()
    assert low == pytest.approx(0.3, abs=0.01)
    assert high == pytest.approx(0.9, abs=0.01)


def test_a_customer_stays_who_they_are_until_they_leave(months: list[Month]) -> None:
    found = treated(months)
    for one, two in itertools.pairwise(found):
        ids, later = (np.array(ids_of(month.month)) for month in (one, two))
        left = one.month.customers.labelled.to_numpy() == 1
        assert (ids[~left] == later[~left]).all()
        assert (ids[left] != later[left]).all()
        assert (one.acceptance[~left] == two.acceptance[~left]).all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="acceptance"):
        TreatedBase(1, Reaction(acceptance=0.9, spread=0.5))


def test_what_cannot_be_is_said_before_anybody_is_there() -> None:
    with pytest.raises(InputError, match=r"needs a seed of at least 0 \(found -1\)"):
        TreatedBase(-1, Reaction())
    assert TreatedBase(0, Reaction())
