from __future__ import annotations

import numpy as np
import pandas as pd

from monitoring.drift.columns import as_served, numbers_of


def test_an_absent_column_is_missing_everywhere() -> None:
    assert np.isnan(numbers_of(pd.DataFrame({"a": [1, 2]}), "b")).tolist() == [True, True]
    assert numbers_of(pd.DataFrame({"a": []}), "b").shape == (0,)


def test_what_is_no_number_is_missing_whatever_the_column_is_made_of() -> None:
    frame = pd.DataFrame(
        {"text": ["1.5", "x", None], "flag": [True, False, True], "whole": pd.array([1, None, 3], dtype="Int64")}
    )
    np.testing.assert_array_equal(numbers_of(frame, "text"), [1.5, np.nan, np.nan])
    np.testing.assert_array_equal(numbers_of(frame, "flag"), [1.0, 0.0, 1.0])
    np.testing.assert_array_equal(numbers_of(frame, "whole"), [1.0, np.nan, 3.0])
    assert numbers_of(frame, "flag").dtype == np.float64


def test_probabilities_alone_lose_the_digits_that_mean_nothing() -> None:
    values = [0.12345678949, 0.1234567894]
    frame = pd.DataFrame({"churn_probability": values, "minutes": values})
    assert len(set(numbers_of(frame, "churn_probability"))) == 1
    assert numbers_of(frame, "churn_probability")[0] == 0.123456789
    assert numbers_of(frame, "minutes").tolist() == values


def test_the_answers_of_the_model_that_serves_stand_for_those_out_of_fold() -> None:
    frame = pd.DataFrame({"churn_probability": [0.1], "served_probability": [0.2]})
    assert as_served(frame)["churn_probability"].tolist() == [0.2]
    assert frame["churn_probability"].tolist() == [0.1]
    bare = frame[["churn_probability"]]
    assert as_served(bare) is bare
