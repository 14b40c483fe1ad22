"""What a version was trained on, summed up: outcomes that may be learned from, a bounded sample, slices with baselines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.evaluation.weights import WEIGHT
from churn.segments.segments import SLICE
from monitoring import reference
from monitoring.reference import Reference
from tests.unit.monitoring.grouped import CONTRACT, draw

ROWS = draw(1_200, 1)


@pytest.fixture(scope="module")
def plain() -> Reference:
    return Reference.of(ROWS, CONTRACT)


def test_outcomes_are_those_of_the_rows_and_every_slice_has_a_baseline(plain: Reference) -> None:
    pd.testing.assert_frame_equal(plain.outcomes, ROWS[["churn_probability", "churned"]])
    assert [one.rule for one in plain.baselines] == list(plain.slicing.rules)
    assert {rule.column for rule in plain.slicing.rules} == {"tenure", "plan", "area"}
    assert all(rule.column != SLICE for rule in plain.slicing.rules), "no segmenter was given"
    assert plain.profile.sums.rows == len(ROWS)


def test_a_row_without_an_outcome_is_a_customer_and_no_outcome(plain: Reference) -> None:
    unknown = ROWS.assign(churned=ROWS["churned"].where(np.arange(len(ROWS)) % 4 > 0))
    found = Reference.of(unknown, CONTRACT)
    assert found.profile.sums.rows == len(ROWS)
    assert len(found.outcomes) == len(ROWS) * 3 // 4
    assert found.outcomes["churned"].notna().all()
    assert found.outcomes.index.equals(pd.RangeIndex(len(found.outcomes)))
    assert sum(one.large.rows for one in found.baselines) < sum(one.large.rows for one in plain.baselines)


def test_weights_come_along_where_some_stand_for_others() -> None:
    weighed = Reference.of(ROWS.assign(**{WEIGHT: 1.5}), CONTRACT)
    assert list(weighed.outcomes) == ["churn_probability", "churned", WEIGHT]
    assert (weighed.outcomes[WEIGHT] == 1.5).all()


def test_of_many_rows_a_sample_is_kept_for_pictures_and_the_same_one_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "SAMPLE_ROWS", 50)
    found, again = (Reference.of(ROWS, CONTRACT) for _ in range(2))
    assert len(found.sample) == 50
    assert len(found.outcomes) == len(ROWS)
    pd.testing.assert_frame_equal(found.sample, again.sample)
