from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.data.dataset import Dataset
from churn.data.labelled import Labelled
from churn.errors import InputError
from churn.modeling.split import reserved_for_gate, split


def dataset(stayed: int, churned: int, seed: int = 0) -> Dataset:
    """Customers who can be told apart by their number."""
    outcome = np.random.default_rng(seed).permutation([0] * stayed + [1] * churned)
    features = pd.DataFrame({"number": np.arange(len(outcome), dtype=np.float64)})
    return Dataset(features, pd.Series(outcome, dtype=np.int64), source="customers.csv")


def numbers(part: Labelled) -> set[float]:
    return set(part.features["number"])


def test_every_customer_is_on_exactly_one_side() -> None:
    data = dataset(860, 140)
    train, held = split(data, holdout=0.25, folds=5, seed=1)
    assert (len(train), len(held)) == (750, 250)
    assert numbers(train) | numbers(held) == set(range(1000))
    assert not numbers(train) & numbers(held)


def test_both_sides_have_the_same_churn_rate() -> None:
    train, held = split(dataset(860, 140), holdout=0.25, folds=5, seed=1)
    assert (train.outcome.sum(), held.outcome.sum()) == (105, 35)


def test_outcomes_stay_with_their_customers() -> None:
    data = dataset(300, 100)
    for part in split(data, holdout=0.25, folds=5, seed=1):
        assert part.outcome.index.tolist() == part.features.index.tolist() == list(range(len(part)))
        assert part.outcome.tolist() == data.labelled.iloc[part.features["number"].astype(int)].tolist()


def test_the_same_seed_gives_the_same_split_and_another_another() -> None:
    data = dataset(300, 100)
    sides = [numbers(split(data, holdout=0.25, folds=5, seed=seed)[1]) for seed in (1, 1, 2)]
    assert sides[0] == sides[1]
    assert sides[0] != sides[2]


@pytest.mark.parametrize(("stayed", "churned", "word"), [(50, 0, "stayed"), (0, 50, "churned")])
def test_one_class_only_is_named(stayed: int, churned: int, word: str) -> None:
    with pytest.raises(InputError, match=rf"customers\.csv: every customer {word}"):
        split(dataset(stayed, churned), holdout=0.25, folds=5, seed=1)


def test_fewer_customers_of_a_class_than_folds_says_how_many_are_needed() -> None:
    with pytest.raises(InputError, match=r"6 churned and 500 stayed; 5 folds need at least 7 of each"):
        split(dataset(500, 6), holdout=0.25, folds=5, seed=1)
    split(dataset(500, 7), holdout=0.25, folds=5, seed=1)


def test_a_holdout_without_one_class_is_refused() -> None:
    with pytest.raises(InputError, match=r"a holdout of 0.01 needs at least 100 of each"):
        split(dataset(500, 20), holdout=0.01, folds=5, seed=1)


def test_data_without_outcomes_are_refused() -> None:
    with pytest.raises(InputError, match="needs the outcome column"):
        split(Dataset(pd.DataFrame({"number": [1.0]}), None, source="x.csv"), holdout=0.25, folds=5, seed=1)


@given(
    counts=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    holdout=st.floats(0.01, 0.89),
    folds=st.integers(2, 10),
    seed=st.integers(0, 9),
)
def test_what_is_not_refused_suffices_for_the_folds_and_the_holdout(
    counts: tuple[int, int], holdout: float, folds: int, seed: int
) -> None:
    try:
        train, held = split(dataset(*counts), holdout=holdout, folds=folds, seed=seed)
    except InputError:
        return
    for level in (0, 1):
        assert (train.outcome == level).sum() >= folds
        assert (held.outcome == level).sum() >= 1
    assert len(train) + len(held) == sum(counts)


# The customers who are kept for the gate


def test_the_share_kept_for_the_gate_is_what_was_asked_for() -> None:
    keys = pd.Series([f"customer-{n}" for n in range(10_000)])
    for share in (0.1, 0.5, 0.9):
        assert reserved_for_gate(keys, share).mean() == pytest.approx(share, abs=0.02)


def test_a_customer_is_always_on_the_same_side_whoever_else_is_asked_about() -> None:
    keys = pd.Series([f"customer-{n}" for n in range(1000)])
    kept = reserved_for_gate(keys, 0.5)
    shuffled = keys.sample(frac=1, random_state=3)
    assert reserved_for_gate(shuffled, 0.5).tolist() == kept[shuffled.index].tolist()
    assert reserved_for_gate(pd.concat([keys, keys]), 0.5).tolist() == [*kept, *kept]
    assert [bool(reserved_for_gate(pd.Series([key]), 0.5)[0]) for key in keys[:50]] == kept[:50].tolist()


def test_a_larger_share_keeps_whom_a_smaller_one_kept() -> None:
    keys = pd.Series([f"customer-{n}" for n in range(1000)])
    assert not (reserved_for_gate(keys, 0.3) & ~reserved_for_gate(keys, 0.6)).any()


def test_sides_do_not_change_between_releases() -> None:
    # Whoever was trained on by an older release must not be judged on by a newer one.
    keys = pd.Series(["a", "b", "c", "d", "e", "f", "g", "h"])
    assert reserved_for_gate(keys, 0.5).tolist() == [True, True, False, True, True, False, True, True]


def test_nobody_is_nobody() -> None:
    kept = reserved_for_gate(pd.Series([], dtype=object), 0.5)
    assert kept.dtype == bool
    assert len(kept) == 0
