from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from monitoring.drift.families.counts import Count, judge_count, list_counts
from monitoring.drift.results import DriftResult
from tests.unit.monitoring.drift.small import PROFILE, REFERENCE, frame_of, sides_of


def count_of(reference: dict[str, int], window: dict[str, int], level: str | None = None, column: str = "state") -> Count:
    return Count(column, "values", "share of", reference, window, level)


def judge(count: Count, *, tests: int = 1, share: float = 1.0, alpha: float = 0.01) -> DriftResult:
    return judge_count(count, sides_of(REFERENCE, alpha), tests=tests, share=share)


def test_every_count_of_a_window_in_the_order_of_the_contract() -> None:
    window = frame_of(200, seed=3)
    window.loc[0:4, "minutes"] = np.nan
    window.loc[5:6, "minutes"] = [-1.0, 1e6]
    window.loc[7, "minutes"] = 1e6
    counts = list_counts(sides_of(window))
    assert [(one.column, one.aspect) for one in counts] == [
        *((name, aspect) for name in ("minutes", "charge", "calls") for aspect in ("range", "range", "missing")),
        *((name, aspect) for name in ("plan", "state") for aspect in ("values", "missing")),
        ("charge", "relation"),
    ]
    assert [one.family for one in counts] == ["levels" if one.aspect == "values" else "faults" for one in counts]
    below, above, missing = counts[:3]
    low, high = PROFILE.ranges["minutes"]
    assert below.measure == f"share below {low:g} min"
    assert above.measure == f"share above {high:g} min"
    out = int((window["minutes"] < low).sum()), int((window["minutes"] > high).sum())
    assert (below.window, above.window) == tuple({"yes": one, "no": 195 - one} for one in out)
    assert out[0] >= 1
    assert out[1] >= 2
    assert below.reference == above.reference == {"yes": 0, "no": 600}
    assert (missing.measure, missing.reference, missing.window) == ("share missing", {"yes": 0, "no": 600}, {"yes": 5, "no": 195})
    assert counts[3].measure.startswith("share below 0.")  # a column without a unit
    relation = counts[-1]
    assert relation.measure == "share not 0.5 times minutes"
    assert (relation.reference, relation.window) == ({"yes": 0, "no": 600}, {"yes": 3, "no": 192})


def test_absent_columns_are_not_counted_and_neither_is_a_window_without_rows() -> None:
    counts = list_counts(sides_of(frame_of(50).drop(columns=["minutes", "plan"])))
    assert {one.column for one in counts} == {"charge", "calls", "state"}
    assert "relation" not in {one.aspect for one in counts}
    assert list_counts(sides_of(frame_of(0))) == []


@pytest.mark.parametrize(
    ("reference", "window", "has_rows", "can_differ"),
    [
        ({"yes": 1, "no": 0}, {"yes": 0, "no": 1}, True, True),
        ({"yes": 5, "no": 0}, {"yes": 3}, True, False),
        ({"yes": 0, "no": 0}, {"yes": 3, "no": 1}, False, False),
        ({"yes": 3, "no": 1}, {}, False, False),
    ],
)
def test_a_count_is_a_test_where_both_sides_have_rows_and_there_are_two_levels(
    reference: dict[str, int], window: dict[str, int], has_rows: bool, can_differ: bool
) -> None:
    count = count_of(reference, window, "yes")
    assert (count.has_rows, count.can_differ) == (has_rows, can_differ)
    if not can_differ:
        found = judge(count)
        assert (found.method, found.statistic, found.p_value, found.drifted) == ("none", 0.0, 1.0, False)


def test_the_p_value_is_that_of_the_test_shared_among_its_family() -> None:
    count = count_of({"yes": 30, "no": 570}, {"yes": 14, "no": 86}, "yes", "minutes")
    exact = stats.fisher_exact([[30, 570], [14, 86]]).pvalue
    alone = judge(count)
    assert 0 < alone.p_value <= exact * 1.0001
    assert judge(count, tests=2, share=0.5).p_value == pytest.approx(4 * alone.p_value)
    assert judge(count, tests=10_000, share=0.5).p_value == 1.0
    assert (alone.reference, alone.current) == (0.05, 0.14)
    assert alone.shift == pytest.approx(0.09)
    assert alone.statistic == pytest.approx(0.09)


def test_the_level_that_moved_most_is_shown_and_of_a_flag_the_one_that_is_yes() -> None:
    found = judge(count_of({"KS": 50, "OH": 50}, {"KS": 50, "OH": 30, "TX": 20}))
    assert (found.measure, found.reference, found.current) == ("share of OH", 0.5, 0.3)
    new = judge(count_of({"KS": 50, "OH": 50}, {"KS": 30, "OH": 30, "TX": 40}))
    assert (new.measure, new.reference, new.current) == ("share of TX", 0.0, 0.4)
    flag = judge(count_of({"1.0": 30, "0.0": 70}, {"1.0": 50, "0.0": 50}, "1.0", "plan"))
    assert (flag.measure, flag.reference, flag.current) == ("share of Ja", 0.3, 0.5)


def test_a_side_without_rows_has_no_share() -> None:
    found = judge(count_of({"yes": 3, "no": 1}, {}, "yes"))
    assert (found.reference, found.current, found.shift) == (None, None, None)
