from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.model_selection import RepeatedStratifiedKFold

from benchmarks.model.cross_validation import plan
from churn.data.labelled import Labelled


def customers(values: np.ndarray) -> Labelled:
    return Labelled(pd.DataFrame({"a": values.astype(float)}), pd.Series(np.arange(len(values)) % 3 == 0).astype(np.int64))


def test_nobody_is_asked_about_who_may_have_been_learned_from() -> None:
    known = customers(np.arange(120) % 80)
    pairs = list(plan(known, folds=4, repeats=2, seed=1))
    assert len(pairs) == 8
    for learned, asked in pairs:
        assert not set(known.features["a"].iloc[learned]) & set(known.features["a"].iloc[asked])
    assert sorted(np.concatenate([asked for _, asked in pairs[:4]])) == list(range(120))
    assert not np.array_equal(pairs[0][1], pairs[4][1])


def test_where_nobody_is_alike_the_folds_are_those_of_scikit_learn() -> None:
    known = customers(np.arange(120))
    expected = RepeatedStratifiedKFold(n_splits=4, n_repeats=2, random_state=1).split(known.outcome, known.outcome)
    for found, wanted in zip(plan(known, folds=4, repeats=2, seed=1), expected, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(found, wanted, strict=True))
