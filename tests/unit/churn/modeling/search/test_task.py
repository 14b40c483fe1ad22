"""The task of a search: samples of customers, and what a candidate says of those it was not fitted on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_predict

from churn.data.labelled import Labelled
from churn.modeling.folds import make_folds
from churn.modeling.model import build_pipeline
from churn.modeling.search.candidates import CountingScorer
from churn.modeling.search.task import SearchTask


@pytest.fixture
def task() -> SearchTask:
    rng = np.random.default_rng(1)
    features = pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "b"])
    left = pd.Series((features["a"] + rng.normal(size=200) > 1).astype(np.int64))
    return SearchTask(build_pipeline(1), Labelled(features, left), ["a", "b"], 4, 7)


def test_a_sample_of_as_many_as_there_are_is_the_task_itself(task: SearchTask) -> None:
    assert task.sample(200) is task
    fewer = task.sample(120)
    assert (len(fewer.train), fewer.features, fewer.folds, fewer.seed) == (120, ["a", "b"], 4, 7)
    assert fewer.train.features.equals(task.sample(120).train.features)


def test_everybody_is_asked_about_by_a_candidate_of_other_folds(task: SearchTask) -> None:
    chosen = {"logreg__C": 0.1}
    x, y = task.train.features, task.train.outcome
    expected = cross_val_predict(task.unfitted(chosen), x, y, cv=make_folds(task.train, 4, 7), method="predict_proba")[:, 1]
    asked = task.ask(chosen)
    assert np.array_equal(asked.out_of_fold, expected)
    assert asked.scores.shape == (4,)


def test_of_the_first_folds_only_those_are_asked_about_and_counted(task: SearchTask) -> None:
    told: list[int] = []
    whole, asked = task.ask({}), task.ask({}, 2, CountingScorer("neg_log_loss", told.append))
    rows = np.concatenate([asked for _, asked in task.all_folds()[:2]])
    assert sorted(np.flatnonzero(~np.isnan(asked.out_of_fold))) == sorted(rows)
    assert np.array_equal(asked.out_of_fold[rows], whole.out_of_fold[rows])
    assert (told, asked.scores.shape) == ([1, 2], (2,))


def test_a_candidate_learns_from_all_and_leaves_the_task_as_it_is(task: SearchTask) -> None:
    fitted = task.fitted({"logreg__C": 0.1})
    assert fitted["logreg"].C == 0.1
    assert fitted["imputer"].n_features_in_ == 2
    assert task.pipeline["logreg"].C != 0.1
    assert not hasattr(task.pipeline["logreg"], "coef_")
