"""A pipeline is fitted anew on the customers that judged it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from churn.data.labelled import Labelled
from churn.data.many_rows import MAX_FITTED
from churn.modeling.search import refit as module
from churn.modeling.search.refit import joined, refit, reserved_since
from churn.modeling.search.tuned import Tuned


def labelled(rows: int, seed: int, **more: object) -> Labelled:
    x = np.random.default_rng(seed).normal(size=rows)
    outcome = (x + np.random.default_rng(seed + 1).normal(size=rows) > 0).astype(int)
    return Labelled(pd.DataFrame({"x": x, "note": x}), pd.Series(outcome), **more)  # type: ignore[arg-type]


KNOWN, RESERVED = labelled(90, 1), labelled(30, 3)


def tuned(model: object = None) -> Tuned:
    pipeline = Pipeline([("logreg", model or LogisticRegression(C=0.5))]).fit(KNOWN.features[["x"]], KNOWN.outcome)
    return Tuned(pipeline, {}, 0.0, pd.DataFrame(), np.empty(0))


def test_it_learns_from_both_with_the_parameters_that_were_found() -> None:
    found = tuned()
    served, rows = refit(found, KNOWN, RESERVED, ["x"], "terms")
    x, y = np.concatenate([KNOWN.features["x"], RESERVED.features["x"]]), np.concatenate([KNOWN.outcome, RESERVED.outcome])
    expected = LogisticRegression(C=0.5).fit(x[:, None], y)
    assert rows == 120
    assert served["logreg"].coef_ == pytest.approx(expected.coef_, rel=1e-12)
    assert served["logreg"].C == 0.5
    # What was evaluated stays as it was.
    assert found.pipeline["logreg"].coef_ != pytest.approx(expected.coef_, rel=1e-6)


def test_a_network_and_more_rows_than_are_fitted_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tuned()
    assert refit(found, KNOWN, RESERVED, ["x"], "deep") == (found.pipeline, 0)
    assert refit(found, KNOWN, RESERVED.take(np.arange(0)), ["x"], "terms") == (found.pipeline, 0)
    assert MAX_FITTED > 120
    monkeypatch.setattr(module, "MAX_FITTED", 119)
    assert refit(found, KNOWN, RESERVED, ["x"], "terms") == (found.pipeline, 0)
    monkeypatch.setattr(module, "MAX_FITTED", 120)
    assert refit(found, KNOWN, RESERVED, ["x"], "terms")[1] == 120


def test_a_fit_that_knows_those_it_learned_from_no_better_is_not_served() -> None:
    found = tuned()
    # Cloned, it learns nothing.
    unable = replace(found, pipeline=Pipeline([("logreg", DummyClassifier())]).fit(KNOWN.features[["x"]], KNOWN.outcome))
    unable.pipeline.steps[0] = ("logreg", Knowing(found.pipeline))
    assert refit(unable, KNOWN, RESERVED, ["x"], "terms") == (unable.pipeline, 0)


class Knowing(LogisticRegression):
    """Knows all before it is fitted, and nothing afterwards."""

    def __init__(self, model: Pipeline) -> None:
        super().__init__()
        self.model, self.forgot = model, False

    def fit(self, *_: object) -> Knowing:
        self.forgot = True
        return self

    def predict_proba(self, x: pd.DataFrame) -> np.ndarray:
        return np.full((len(x), 2), 0.5) if self.forgot else np.asarray(self.model.predict_proba(x))

    def __sklearn_is_fitted__(self) -> bool:
        return True


def test_customers_of_both_parts_are_told_apart() -> None:
    first, second = replace(KNOWN, customer=np.zeros(90, dtype=np.int64)), replace(RESERVED, customer=np.arange(30) // 2)
    both = joined(first, second)
    assert both.customer is not None
    assert (both.customer[:90] == 0).all()
    assert both.customer[90:].tolist() == [1 + n // 2 for n in range(30)]
    assert len(both.features) == len(both.outcome) == 120
    assert joined(KNOWN, RESERVED).customer is None
    half = joined(first, RESERVED).customer
    assert half is not None
    assert len(set(half.tolist())) == 31


def test_after_a_change_only_the_reserved_customers_since_then_teach() -> None:
    days = pd.Series(pd.date_range("2026-01-01", periods=30))
    dated = replace(RESERVED, asked_at=days)
    newest = replace(KNOWN, asked_at=pd.Series([pd.Timestamp("2026-01-21")] * 90))
    assert len(reserved_since(dated, newest)) == 10
    assert len(reserved_since(RESERVED, newest)) == 0
    assert reserved_since(dated, KNOWN) is dated
    some = replace(newest, asked_at=newest.asked_at.where(newest.features.index > 0))  # type: ignore[union-attr]
    assert reserved_since(dated, some) is dated
