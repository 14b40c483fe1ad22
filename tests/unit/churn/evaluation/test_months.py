"""Quality by month: only where times are known, and no figure for a month without customers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from churn.config.params import Params
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.months import score_months
from churn.evaluation.report import assess
from churn.evaluation.scorecard import evaluate
from churn.simulation.simulate import simulate


@pytest.fixture(scope="module")
def known(contract: Contract) -> Labelled:
    dataset = simulate(contract, 400, seed=5)
    asked = pd.Series(pd.date_range("2026-01-01", periods=400, freq="6h", tz="UTC"))
    asked[asked.dt.month == 2] += pd.Timedelta(days=365)
    return Labelled(dataset.features, dataset.labelled, asked_at=asked)


def test_each_month_has_the_scores_of_its_customers_and_one_without_any_has_no_row(known: Labelled) -> None:
    y, p = known.outcome.to_numpy(), np.linspace(0.01, 0.6, 400)
    found = score_months(known.asked_at, y, p)
    assert found["month"].tolist() == ["2026-01", "2026-03", "2026-04", "2027-02"]
    march = (known.asked_at.dt.strftime("%Y-%m") == "2026-03").to_numpy()
    card, row = evaluate(y[march], p[march], 0.5), found.iloc[1]
    assert (row["rows"], row["churned"]) == (card.rows, y[march].sum())
    for name in ("churn_rate", "roc_auc", "brier", "log_loss"):
        assert row[name] == pytest.approx(getattr(card, name))
    assert found["rows"].sum() == 400


def test_an_evaluation_has_months_where_there_are_times_and_says_nothing_that_is_no_number(
    known: Labelled, contract: Contract
) -> None:
    p = np.full(400, 0.2)
    report = assess(known, p, 0.5, contract, Params()).report()
    assert [month["rows"] for month in report["months"]] == score_months(known.asked_at, known.outcome, p)["rows"].tolist()
    json.dumps(report, allow_nan=False)
    timeless = Labelled(known.features, known.outcome)
    assert assess(timeless, p, 0.5, contract, Params()).report()["months"] == []


def test_a_month_of_one_class_has_no_area() -> None:
    asked = pd.Series(pd.to_datetime(["2026-03-01", "2026-03-02"]))
    assert np.isnan(score_months(asked, np.array([1, 1]), np.array([0.2, 0.3]))["roc_auc"][0])
