from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import get_scorer

from churn.modeling.search.candidates import CountingScorer


class Told:
    """A fitted classifier that answers what it was told."""

    _estimator_type = "classifier"

    def __init__(self, probability: np.ndarray) -> None:
        self.probability = probability
        self.classes_ = np.array([0, 1])

    def __sklearn_tags__(self) -> object:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression().__sklearn_tags__()

    def fit(self) -> None:
        """Need nothing."""

    def predict_proba(self, _x: pd.DataFrame) -> np.ndarray:
        return np.column_stack([1 - self.probability, self.probability])


def both(probability: np.ndarray, outcome: np.ndarray, scoring: str = "neg_log_loss") -> tuple[float, float]:
    x, y = pd.DataFrame({"a": np.zeros(len(outcome))}), pd.Series(outcome)
    return CountingScorer(scoring, None)(Told(probability), x, y), get_scorer(scoring)(Told(probability), x, y)


@pytest.mark.parametrize("seed", range(8))
def test_the_log_loss_is_that_of_scikit_learn_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(2, 3_000))
    outcome = np.append(rng.integers(0, 2, rows), [0, 1])
    probability = rng.beta(*rng.uniform(0.05, 3, 2), rows + 2)
    probability[rng.random(rows + 2) < 0.1] = rng.choice([0.0, 1.0, 1e-17, 1 - 1e-16, 0.5])
    ours, theirs = both(probability, outcome)
    assert ours == theirs < 0


@pytest.mark.parametrize(("probability", "outcome"), [([0.2, 0.3], [0, 0]), ([0.2, np.nan], [0, 1]), ([0.2, 1.5], [0, 1])])
def test_what_has_no_log_loss_is_refused_as_there(probability: list[float], outcome: list[int]) -> None:
    told = []
    for scorer in (CountingScorer("neg_log_loss", None), get_scorer("neg_log_loss")):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are compared
            scorer(Told(np.array(probability)), pd.DataFrame({"a": [0.0, 0.0]}), pd.Series(outcome))
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_each_score_is_counted_and_other_scores_are_scikit_learn_s() -> None:
    rng = np.random.default_rng(1)
    outcome, probability = rng.integers(0, 2, 50), rng.random(50)
    for scoring in ("roc_auc", "average_precision", "neg_brier_score"):
        ours, theirs = both(probability, outcome, scoring)
        assert ours == theirs
    counted: list[int] = []
    scorer = CountingScorer("neg_log_loss", counted.append)
    for _ in range(3):
        scorer(Told(probability), pd.DataFrame({"a": np.zeros(50)}), pd.Series(outcome))
    assert counted == [1, 2, 3]
