from __future__ import annotations

import numpy as np
import pandas as pd

from churn.config.params import ProfitParams
from monitoring.performance.comparison import compare_performance
from monitoring.performance.metrics import measure_performance


def rows(count: int, times: float = 1.0, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 4, count)
    return pd.DataFrame({"churn_probability": p, "churned": (rng.random(count) < np.minimum(times * p, 1)) * 1.0})


REFERENCE = rows(1_500)
CAMPAIGN = ProfitParams(currency="EUR")


def test_outcomes_are_measured_beside_the_reference_and_what_was_promised() -> None:
    labelled = rows(400, seed=1)
    found = compare_performance(REFERENCE, labelled, labelled, 0.5, CAMPAIGN)
    assert found.realized == measure_performance(labelled, threshold=0.5, campaign=CAMPAIGN)
    assert found.reference == measure_performance(REFERENCE, threshold=0.5, campaign=CAMPAIGN)
    assert found.estimated is not None
    assert (found.gaps, found.currency) == ((), "EUR")


def test_a_model_that_came_out_otherwise_than_its_answers_promised_has_gaps() -> None:
    labelled = rows(600, times=2.5, seed=1)
    found = compare_performance(REFERENCE, labelled, labelled, 0.5, CAMPAIGN)
    assert "brier" in found.gaps
    assert found.estimated is not None
    assert set(found.gaps) <= set(found.estimated.intervals)


def test_without_outcomes_there_is_an_estimate_and_nothing_realized() -> None:
    answers = rows(300, seed=2)[["churn_probability"]]
    found = compare_performance(REFERENCE, REFERENCE.iloc[:0], answers, None, None)
    assert (found.realized, found.reference, found.gaps, found.currency) == (None, None, (), None)
    assert found.estimated is not None


def test_without_answers_nothing_is_estimated() -> None:
    found = compare_performance(REFERENCE, REFERENCE.iloc[:0], REFERENCE.iloc[:0], None, CAMPAIGN)
    assert (found.estimated, found.currency) == (None, "EUR")
