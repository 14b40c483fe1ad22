"""A base of customers through months of retrainings: nobody judges of whom any model so far was trained on any row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from churn.config.params import GateParams, Params, SplitParams, TuningParams
from churn.contract import Column, Contract
from churn.customers.pseudonym import Pseudonymiser
from churn.data.dataset import Dataset
from churn.data.labelled import Labelled
from churn.modeling.assignment import NO_PSEUDONYM
from churn.modeling.training_set import TrainingSet, assemble

CONTRACT = Contract(name="usage", columns=(Column(name="usage", source="usage", kind="number"),))
PARAMS = Params(split=SplitParams(key="a base"), gate=GateParams(min_fresh_rows=30), tuning=TuningParams(folds=3))
BASE, MONTHS, IN_FILE, NEW_A_MONTH = 900, 6, 500, 40
KEY = Pseudonymiser("a key of the store's own")


@dataclass(frozen=True)
class Life:
    """How files and requests call customers, and whether usage moves from month to month, as it does."""

    in_file: Callable[[int], object] | None
    in_traffic: Callable[[int, int], object]
    moves: bool = True
    pseudonym: Pseudonymiser = NO_PSEUDONYM


LIVES = {
    "ids in both, a number here and a text there": Life(float, lambda who, _: f" {who} "),
    "pseudonyms in the store": Life(lambda who: f"c{who}", lambda who, _: KEY(f"c{who}"), pseudonym=KEY),
    "pseudonyms since the third month": Life(
        lambda who: f"c{who}", lambda who, month: f"c{who}" if month < 3 else KEY(f"c{who}"), pseudonym=KEY
    ),
    "pseudonyms, of which training has no key": Life(lambda who: f"c{who}", lambda who, _: KEY(f"c{who}"), moves=False),
    "no ids in the file": Life(None, lambda who, _: f"c{who}"),
    "no ids in the traffic": Life(lambda who: f"c{who}", lambda who, month: None, moves=False),
    "no ids anywhere": Life(None, lambda who, month: None, moves=False),
    "ids in the traffic since the third month": Life(None, lambda who, month: None if month < 3 else f"c{who}", moves=False),
    "half of the requests name the customer": Life(
        lambda who: f"c{who}", lambda who, month: f"c{who}" if (who + month) % 2 else None, moves=False
    ),
}


def months(life: Life) -> Iterator[tuple[int, TrainingSet]]:
    """Train once a month: on a file that grows and is sorted anew, and on all traffic so far. Everybody is scored every month."""
    rng = np.random.default_rng(1)
    outcome = pd.Series(rng.integers(0, 2, BASE))
    rows: list[tuple[int, int]] = []
    traffic: list[pd.DataFrame] = []
    for month in range(MONTHS):
        usage = np.arange(BASE, dtype=np.float64) + (BASE * month if life.moves else 0)
        rows += [(who, int(usage[who])) for who in range(*((IN_FILE + NEW_A_MONTH * n) * (n >= 0) for n in (month - 1, month)))]
        who, seen = (np.array(part) for part in zip(*rng.permutation(rows), strict=True))
        named = None if life.in_file is None else pd.Series([life.in_file(one) for one in who], dtype=object)
        file = Dataset(pd.DataFrame({"usage": seen.astype(float)}), outcome[who].reset_index(drop=True), named, "file.csv")
        asked = {
            "prediction_id": [f"{month}-{n}" for n in range(BASE)],
            "customer_id": pd.Series([life.in_traffic(n, month) for n in range(BASE)], dtype=object),
            "churned": outcome.astype(float),
            "requested_at": pd.Timestamp(2026, month + 1, 1, tz="UTC"),
            "usage": usage,
        }
        traffic.append(pd.DataFrame(asked).sample(frac=1, random_state=month))
        yield month, assemble(file, pd.concat(traffic, ignore_index=True), CONTRACT, PARAMS, life.pseudonym)


def people(part: Labelled) -> set[int]:
    """Who they really are."""
    return set((part.features["usage"] % BASE).astype(int))


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES)
def test_no_model_so_far_was_trained_on_a_customer_who_judges(life: Life) -> None:
    taught: set[int] = set()
    judges: list[int] = []
    for month, found in months(life):
        taught |= people(found.train)
        judging = people(found.fresh) | people(found.holdout)
        assert not judging & taught, f"month {month}: {len(judging & taught)} of {len(judging)}"
        assert found.fresh_is_traffic
        judges.append(len(people(found.fresh)))
        assert len(taught) > BASE / 2
    # With one key each a quarter of the base judges; where one is known by two, fewer, and never nobody.
    assert min(judges) > BASE * PARAMS.split.reserved**2 / 2


def test_with_one_key_each_nobody_is_left_out_and_folds_stay() -> None:
    folds: dict[int, float] = {}
    for _, found in months(LIVES["ids in both, a number here and a text there"]):
        assert found.left_out == 0
        assert found.train.fold is not None
        for who, place in zip((found.train.features["usage"] % BASE).astype(int), found.train.fold, strict=True):
            assert folds.setdefault(who, place) == place
