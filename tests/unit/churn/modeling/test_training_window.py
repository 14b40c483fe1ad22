from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.data.labelled import Labelled
from churn.modeling.training_window import contradicts, last_rows, train_on_what_holds
from churn.modeling.tuning import Tuned

OLD, DATED = 4_000, 6_000


class Fits:
    """Stands for the tuning: the model of a group of customers is their churn rate in either half of the flag's customers."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def __call__(self, known: Labelled) -> Tuned:
        self.rows.append(len(known))
        flag, outcome = known.features["flag"].to_numpy(), known.outcome.to_numpy()
        rates = np.array([(outcome[flag == level].sum() + 1) / ((flag == level).sum() + 2) for level in (0, 1)])
        return Tuned(rates, {}, 0.0, pd.DataFrame(), rates[flag.astype(int)])  # type: ignore[arg-type]


def ask(tuned: Tuned, customers: Labelled) -> np.ndarray:
    return tuned.pipeline[customers.features["flag"].to_numpy().astype(int)]


def base(*, since: int | None, seed: int = 1, customer: np.ndarray | None = None, months: int | None = None) -> Labelled:
    """Customers of whom those with the flag leave rarely; from a row on, nearly always. All of a month came at once."""
    rng = np.random.default_rng(seed)
    flag = rng.integers(0, 2, OLD + DATED).astype(float)
    p = np.where(flag == 1, 0.1, 0.2)
    if since is not None:
        p[since:] = np.where(flag[since:] == 1, 0.8, 0.2)
    outcome = pd.Series((rng.random(len(p)) < p).astype(np.int64))
    asked_at = None
    if months is not None:
        days = pd.Series(30 * (np.arange(DATED) * months // DATED), index=np.arange(OLD, OLD + DATED))
        asked_at = (pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(days, "D")).reindex(range(OLD + DATED))
    features = pd.DataFrame({"flag": flag, "row": np.arange(len(p), dtype=float)})
    return Labelled(features, outcome, customer=customer, asked_at=asked_at)


@pytest.mark.parametrize("seed", range(5))
def test_while_nothing_changes_all_are_trained_on_and_nothing_else_is_tried(seed):
    fit, known = Fits(), base(since=None, seed=seed)
    kept, tuned = train_on_what_holds(known, DATED, fit, ask)
    assert kept is known
    assert (fit.rows, len(tuned.out_of_fold)) == ([OLD + DATED], OLD + DATED)


@pytest.mark.parametrize("since", [4_000, 6_000, 7_000, 7_700, 8_300])
def test_after_a_change_those_who_came_since_are_trained_on(since):
    kept, tuned = train_on_what_holds(base(since=since), DATED, Fits(), ask)
    assert len(kept) == len(tuned.out_of_fold) == pytest.approx(OLD + DATED - since, abs=40)
    assert kept.features["row"].iloc[0] == OLD + DATED - len(kept)
    assert kept.features.index[0] == 0


@pytest.mark.parametrize("months", [2, 3, 4])
def test_customers_who_were_asked_about_at_one_time_stay_together(months):
    month = DATED // months
    kept, _ = train_on_what_holds(base(since=OLD + DATED - month, months=months), DATED, fit := Fits(), ask)
    assert len(kept) == month
    assert len(set(fit.rows)) == len(fit.rows), "a window that was tried is not tried again: that takes as long as a training"


def test_after_a_change_in_the_midst_of_the_newest_customers_windows_halve():
    kept, _ = train_on_what_holds(base(since=OLD + DATED - 1_000), DATED, fit := Fits(), ask)
    assert fit.rows == [OLD + DATED, 6_000, 3_000, 1_500]
    assert len(kept) == 1_500


def test_without_traffic_or_with_little_of_it_there_is_no_window():
    for dated in (0, 1_900):
        fit = Fits()
        kept, _ = train_on_what_holds(base(since=8_500), dated, fit, ask)
        assert (len(kept), len(fit.rows)) == (OLD + DATED, 1)


def test_few_customers_of_a_class_are_not_enough_however_many_rows_they_have():
    known = base(since=8_500, customer=np.arange(OLD + DATED) % 40)
    kept, _ = train_on_what_holds(known, DATED, fit := Fits(), ask)
    assert (len(kept), len(fit.rows)) == (OLD + DATED, 1)


def test_chance_contradicts_about_as_rarely_as_it_should():
    rng = np.random.default_rng(3)
    p = rng.beta(1, 5, 2_000)
    found = [contradicts((rng.random(2_000) < p).astype(int), p) for _ in range(2_000)]
    # Three directions of .0005.
    assert sum(found) <= 10


def test_twenty_labels_of_a_customer_that_all_say_the_same_contradict_as_rarely():
    rng = np.random.default_rng(4)
    customer = np.repeat(np.arange(200), 20)
    said = np.full(len(customer), 0.3)
    alone = together = 0
    for _ in range(300):
        outcome = (rng.random(200) < 0.3).astype(int)[customer]
        alone += contradicts(outcome, said)
        together += contradicts(outcome, said, customer)
    assert together <= 4
    assert alone > 60


def test_the_last_rows_keep_who_is_who():
    known = base(since=None, customer=np.arange(OLD + DATED) // 2)
    last = last_rows(known, 10)
    assert len(last) == len(last.features) == 10
    assert last.customer is not None
    assert last.customer.tolist() == [4995, 4995, 4996, 4996, 4997, 4997, 4998, 4998, 4999, 4999]
    assert last.outcome.tolist() == known.outcome.iloc[-10:].tolist()
