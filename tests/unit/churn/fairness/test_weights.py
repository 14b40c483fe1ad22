"""Reweighing: with the weights, the outcome does not depend on the group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, selection_rate

from churn.config.params import SliceParams
from churn.data.labelled import Labelled
from churn.fairness.weights import cells_of, reweighed
from tests.unit.churn.fairness.test_gaps import CONTRACT

SIZES = SliceParams(min_rows=20, min_churners=5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("groups", [2, 4])
def test_weighted_churn_rates_are_the_same_in_all_groups(seed: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    cells = pd.Series(rng.integers(0, groups, 500)).map(str)
    outcome = (rng.random(500) < 0.1 + 0.1 * cells.astype(int)).astype(np.int64)
    weight = reweighed(outcome, cells)
    by_group = MetricFrame(
        metrics=selection_rate, y_true=outcome, y_pred=outcome, sensitive_features=cells, sample_params={"sample_weight": weight}
    ).by_group
    assert by_group.tolist() == pytest.approx([outcome.mean()] * groups, abs=1e-12)
    for level in cells.unique():
        assert weight[cells == level].sum() == pytest.approx((cells == level).sum())
    assert weight @ outcome == pytest.approx(outcome.sum())


def test_where_groups_are_alike_every_weight_is_one() -> None:
    np.testing.assert_allclose(reweighed(np.array([0, 1, 1] * 20), pd.Series(["f"] * 30 + ["m"] * 30)), 1.0)


def test_who_is_in_no_cell_has_the_weight_one_and_changes_no_other() -> None:
    outcome, cells = np.array([1, 1, 1, 0, 1, 0, 0, 0]), pd.Series(["f"] * 4 + ["m"] * 4, dtype=object)
    among = reweighed(
        np.append(outcome, [1, 1, 1, 1]), pd.concat([cells, pd.Series([None] * 4, dtype=object)], ignore_index=True)
    )
    assert among.tolist() == [*reweighed(outcome, cells).tolist(), 1.0, 1.0, 1.0, 1.0]
    assert reweighed(outcome, pd.Series([None] * 8, dtype=object)).tolist() == [1.0] * 8


def test_a_row_that_stands_for_others_counts_as_often() -> None:
    rng = np.random.default_rng(1)
    outcome, cells = rng.integers(0, 2, 60), pd.Series(rng.choice(["f", "m"], 60))
    times = rng.integers(1, 5, 60)
    assert np.unique(reweighed(np.repeat(outcome, times), cells.repeat(times).reset_index(drop=True))) == pytest.approx(
        sorted(
            times[cells == g].sum() * times[outcome == y].sum() / times.sum() / times[(cells == g) & (outcome == y)].sum()
            for g in "fm"
            for y in (0, 1)
        )
    )


def labelled(rows: int = 400, **sensitive: Any) -> Labelled:
    frame = pd.DataFrame(sensitive, index=range(rows)) if sensitive else None
    return Labelled(pd.DataFrame({"minutes": np.zeros(rows)}), pd.Series(np.arange(rows) % 2), frame)


GENDER = np.where(np.arange(400) // 2 % 2 == 0, "f", "m")
AGE = np.where(np.arange(400) < 200, 30.0, 60.0)


def test_several_columns_are_crossed() -> None:
    cells = cells_of(labelled(gender=GENDER, age=AGE), CONTRACT, SIZES)
    assert cells.value_counts().to_dict() == dict.fromkeys(
        [f"gender={gender}, age={age}" for gender in "fm" for age in (30, 60)], 100
    )


def test_cells_that_are_too_small_are_pooled() -> None:
    age = np.where(np.arange(400) < 390, AGE, 90.0)
    age[:40] = 90.0
    cells = cells_of(labelled(gender=GENDER, age=age), CONTRACT, SliceParams(min_rows=40, min_churners=5))
    # 50 customers of 90 years are a group; 25 of them of each gender are not.
    assert cells.value_counts().to_dict() == {
        "gender=m, age=60": 94,
        "gender=f, age=60": 96,
        "gender=m, age=30": 80,
        "gender=f, age=30": 80,
        "other (2 levels)": 50,
    }


@pytest.mark.parametrize(
    "known",
    [
        labelled(),
        labelled(gender=["f"] * 400),
        labelled(gender=[None] * 400),
        labelled(gender=[str(number) for number in range(400)]),
        labelled(gender=["f"] * 395 + ["m"] * 5),
    ],
    ids=["nothing is known", "one level", "all missing", "everybody alone", "a group too small"],
)
def test_without_two_groups_there_are_no_cells(known: Labelled) -> None:
    assert cells_of(known, CONTRACT, SIZES).isna().all()


def test_traffic_is_in_no_cell_and_moves_nobody() -> None:
    file = labelled(gender=GENDER, age=AGE)
    rows = np.arange(600)
    more = Labelled(
        pd.DataFrame({"minutes": np.zeros(600)}),
        pd.Series(np.where(rows < 400, rows % 2, 1)),
        file.sensitive.reindex(rows) if file.sensitive is not None else None,
    )
    assert cells_of(more, CONTRACT, SIZES).tolist() == [*cells_of(file, CONTRACT, SIZES), *[None] * 200]


def test_a_value_that_is_missing_is_a_level_where_another_is_known() -> None:
    gender = np.where(np.arange(400) % 5 == 0, None, GENDER)
    assert set(cells_of(labelled(gender=gender, age=AGE), CONTRACT, SIZES)) == {
        f"gender={gender}, age={age}" for gender in ("f", "m", "missing") for age in (30, 60)
    }
