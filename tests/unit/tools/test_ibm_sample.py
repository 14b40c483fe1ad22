from __future__ import annotations

import pandas as pd
import pytest

from tools.ibm_sample import ADD_ONS, CUSTOMERS, ibm_sample


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return ibm_sample()


def test_it_has_as_many_customers_as_the_original_and_about_as_many_leave(sample: pd.DataFrame) -> None:
    assert len(sample) == CUSTOMERS == 7043
    assert sample["customerID"].is_unique
    assert (sample["Churn"] == "Yes").mean() == pytest.approx(0.265, abs=0.015)
    left = (sample["Churn"] == "Yes").groupby(sample["Contract"]).mean()
    assert left["Month-to-month"] > 2 * left["One year"] > 4 * left["Two year"]


def test_the_same_seed_gives_the_same_customers_and_another_others(sample: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(sample, ibm_sample())
    assert not sample["tenure"].equals(ibm_sample(seed=2)["tenure"])


def test_the_total_is_text_that_is_blank_for_who_has_just_come(sample: pd.DataFrame) -> None:
    blank = sample["TotalCharges"] == " "
    assert 1 <= blank.sum() < 30
    assert (blank == (sample["tenure"] == 0)).all()
    assert pd.to_numeric(sample["TotalCharges"][~blank]).gt(0).all()


def test_levels_say_what_a_customer_cannot_have(sample: pd.DataFrame) -> None:
    offline = sample["InternetService"] == "No"
    for name in ADD_ONS:
        assert ((sample[name] == "No internet service") == offline).all()
    assert ((sample["MultipleLines"] == "No phone service") == (sample["PhoneService"] == "No")).all()
    assert set(sample["SeniorCitizen"]) == {0, 1}
