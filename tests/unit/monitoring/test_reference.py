"""What a version was trained on, summed up: outcomes that may be learned from, a bounded sample, slices with baselines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from churn.evaluation.weights import WEIGHT
from churn.segments.segments import SLICE
from monitoring import reference
from monitoring.performance.score_selection import ScoreSelection
from monitoring.reference import Reference
from monitoring.slice_quality import take_baselines
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


def test_seen_by_a_window_without_the_named_it_is_that_of_the_others_and_is_itself_where_all_count(plain: Reference) -> None:
    p = ROWS["churn_probability"].to_numpy()
    threshold = float(np.quantile(p, 0.9))
    assert plain.seen_by(None) is plain
    seen = plain.seen_by(ScoreSelection.of(p, p < threshold, threshold))
    others = ROWS[p < threshold]
    expected = take_baselines(others, plain.slicing)
    assert [one.rule for one in seen.baselines] == [one.rule for one in expected]
    assert [one.large.mean for one in seen.baselines] == pytest.approx([one.large.mean for one in expected])
    assert [one.loss.scatter for one in seen.baselines] == pytest.approx([one.loss.scatter for one in expected])
    of_sums = [(one.large.expected_square / one.large.rows) for one in seen.baselines]
    assert of_sums == pytest.approx([(one.large.expected_square / one.large.rows) for one in expected])


def test_a_slice_of_whom_a_window_shows_nobody_is_not_judged(plain: Reference) -> None:
    p = plain.outcomes["churn_probability"].to_numpy()
    nobody = plain.seen_by(ScoreSelection.of(p, np.zeros(len(p), dtype=bool), 0.5))
    assert (len(nobody.outcomes), nobody.baselines, nobody.slicing.rules, nobody.members.shape) == (0, (), (), (0, 0))
    yes = next(n for n, rule in enumerate(plain.slicing.rules) if (rule.column, rule.level) == ("plan", "Yes"))
    first = replace(plain, outcomes=plain.outcomes.assign(churn_probability=np.where(plain.members[:, yes], 0.9, 0.1)))
    without = first.seen_by(ScoreSelection.of(np.array([0.1, 0.9]), np.array([True, False]), 0.5))
    assert [rule.column for rule in without.slicing.rules].count("plan") == 1
    assert without.members.shape == (len(ROWS), len(without.baselines))


def test_a_reference_of_the_control_group_has_baselines_of_everybody() -> None:
    weight = np.where(np.arange(len(ROWS)) % 3 == 0, 2.0, 1.0)
    weighed = Reference.of(ROWS.assign(**{WEIGHT: weight}), CONTRACT)
    twice = Reference.of(pd.concat([ROWS, ROWS[weight == 2]], ignore_index=True), CONTRACT)
    known = {(one.rule.column, one.rule.level): one.large.mean for one in twice.baselines}
    found = {(one.rule.column, one.rule.level): one.large.mean for one in weighed.baselines}
    assert found == pytest.approx({name: known[name] for name in found})
