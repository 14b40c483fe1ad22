from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.config.params import SplitParams
from churn.data.dataset import Dataset
from churn.data.labelled import Labelled
from churn.errors import InputError
from churn.modeling.assignment import Source, assign
from churn.modeling.split import split
from tests.texts import CHARACTERS

PARAMS = SplitParams(key="tests", reserved=0.25)


def dataset(stayed: int, churned: int, seed: int = 0) -> Dataset:
    """Customers who can be told apart by their number."""
    outcome = np.random.default_rng(seed).permutation([0] * stayed + [1] * churned)
    features = pd.DataFrame({"number": np.arange(len(outcome), dtype=np.float64)})
    return Dataset(features, pd.Series(outcome, dtype=np.int64), source="customers.csv")


def halves(data: Dataset, params: SplitParams = PARAMS, folds: int = 5) -> tuple[Labelled, Labelled]:
    (who,) = assign([Source(data.features, data.customer_id)], params)
    return split(data, who, params, folds=folds)


def numbers(part: Labelled) -> set[float]:
    return set(part.features["number"])


def test_every_customer_is_on_exactly_one_side() -> None:
    train, held = halves(dataset(860, 140))
    assert numbers(train) | numbers(held) == set(range(1000))
    assert not numbers(train) & numbers(held)
    assert len(held) == pytest.approx(250, abs=60)


def test_outcomes_stay_with_their_customers() -> None:
    data = dataset(300, 100)
    for part in halves(data):
        assert part.outcome.index.tolist() == part.features.index.tolist() == list(range(len(part)))
        assert part.outcome.tolist() == data.labelled.iloc[part.features["number"].astype(int)].tolist()


def test_a_file_sorted_anew_or_grown_leaves_everybody_on_the_same_side() -> None:
    """Once, 74 % of the holdout was trained on after the file was sorted anew."""
    data, grown = dataset(300, 100), dataset(3000, 1000, seed=2)
    order = np.random.default_rng(1).permutation(400)
    sorted_anew = Dataset(
        data.features.iloc[order].reset_index(drop=True), data.labelled.iloc[order].reset_index(drop=True), source="sorted.csv"
    )
    train, held = halves(data)
    assert numbers(halves(sorted_anew)[1]) == numbers(held)
    assert not numbers(halves(grown)[0]) & numbers(held)
    assert not numbers(halves(grown)[1]) & numbers(train)


def test_another_key_reserves_others() -> None:
    data = dataset(300, 100)
    assert numbers(halves(data)[1]) != numbers(halves(data, SplitParams(key="other", reserved=0.25))[1])


@pytest.mark.parametrize(("stayed", "churned", "word"), [(50, 0, "stayed"), (0, 50, "churned")])
def test_one_class_only_is_named(stayed: int, churned: int, word: str) -> None:
    with pytest.raises(InputError, match=rf"customers\.csv: every customer {word}"):
        halves(dataset(stayed, churned))


def test_fewer_customers_of_a_class_than_folds_says_what_there_is_and_what_to_do() -> None:
    with pytest.raises(
        InputError, match=r"4 churned and 500 stayed, of whom . and \d+ may be learned from; 5 folds need at least 5"
    ):
        halves(dataset(500, 4))


def test_chance_may_leave_the_holdout_of_a_tiny_file_without_churners() -> None:
    """Of 40 customers, 7 of whom churned, it may reserve no churner: a rule that looks at nobody else cannot help that."""
    found = []
    for key in range(40):
        try:
            _, held = halves(dataset(33, 7), SplitParams(key=str(key)), folds=3)
            found.append(int(held.outcome.sum()))
        except InputError as error:
            found.append(0)
            assert "customers.csv: 7 churned and 33 stayed, of whom" in str(error)  # noqa: PT017
            assert "another split.key" in str(error)  # noqa: PT017
    assert min(found) == 0 < max(found)


def test_nobody_or_everybody_reserved_is_said() -> None:
    (who,) = assign([Source(dataset(30, 10).features, None)], PARAMS)
    everybody, nobody = np.ones(40, dtype=np.bool_), np.zeros(40, dtype=np.bool_)
    with pytest.raises(InputError, match="0 and 0 may be learned from"):
        split(dataset(30, 10), type(who)(nobody, everybody, who.customer, who.fold), PARAMS, folds=2)
    with pytest.raises(InputError, match="0 and 0 are in the holdout, which needs both"):
        split(dataset(30, 10), type(who)(everybody, nobody, who.customer, who.fold), PARAMS, folds=2)


def test_data_without_outcomes_are_refused() -> None:
    with pytest.raises(InputError, match="needs the outcome column"):
        halves(Dataset(pd.DataFrame({"number": [1.0]}), None, source="x.csv"))


@given(
    counts=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    reserved=st.floats(0.01, 0.89),
    folds=st.integers(2, 10),
    key=st.text(CHARACTERS, min_size=1, max_size=9),
)
def test_what_is_not_refused_suffices_for_the_folds_and_the_holdout(
    counts: tuple[int, int], reserved: float, folds: int, key: str
) -> None:
    try:
        train, held = halves(dataset(*counts), SplitParams(key=key, reserved=reserved), folds)
    except InputError:
        return
    for level in (0, 1):
        assert (train.outcome == level).sum() >= folds
        assert (held.outcome == level).sum() >= 1
    assert len(train) + len(held) == sum(counts)


def test_rows_that_are_alike_are_said_to_be_of_one_customer() -> None:
    dataset = Dataset(pd.DataFrame({"plan": ["a", "b"] * 20}), pd.Series([0, 1] * 20))
    [who] = assign([Source(dataset.features, None)], SplitParams())
    with pytest.raises(InputError, match=r"1 churned and 1 stayed \(40 rows are of 2 customers: where no id tells them apart"):
        split(dataset, who, SplitParams(), folds=5)
