"""The newest runs as metrics, on a store in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitoring.drift.results import surprise
from monitoring.exporter.metrics import EXPORTED, exported
from monitoring.exporter.runs import MEASURES, collect_runs
from monitoring.performance.comparison import PerformanceComparison
from monitoring.performance.estimation import Estimate
from monitoring.performance.metrics import Performance
from monitoring.run_result import RunResult
from monitoring.window_summary import WindowSummary
from tests.unit.monitoring.results import make_drift, make_drift_result, make_groups, make_result, make_slice, make_slices


class Store:
    """Knows a run with predictions, one with outcomes, and the newest of all."""

    def __init__(
        self, with_rows: RunResult | None = None, labelled: RunResult | None = None, newest: RunResult | None = None
    ) -> None:
        self._known = {"predictions": with_rows, "outcomes": labelled, "": newest}

    def monitor_runs(self, *, judged: str = "", limit: int) -> list[Any]:
        assert limit == 1
        found = self._known[judged]
        return [] if found is None else [found.to_record()]


def told(store: Store, page_brier: float | None = None) -> dict[tuple[str, ...], float]:
    fake: Any = store
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in collect_runs(fake, page_brier)
        for sample in family.samples
    }


def test_before_the_first_run_nothing_is_told() -> None:
    assert told(Store(), 0.05) == {}


def test_outcomes_of_leavers_alone_are_told_of_the_newest_run_though_it_judged_none() -> None:
    judged, newest = make_result(labelled_rows=77), make_result(rows=0, labelled_rows=0)
    waiting = replace(newest, window=replace(newest.window, leavers_only=True))
    assert [told(Store(None, judged, run))["churn_window_leavers_only",] for run in (waiting, newest)] == [1, 0]


def test_of_several_results_of_a_feature_the_most_surprising_and_the_largest_impact_are_told() -> None:
    drift = make_drift(
        make_drift_result("a", p_value=1e-3, threshold=0.01, impact=0.2),
        make_drift_result("a", p_value=1e-6, threshold=0.01, impact=-0.5),
        make_drift_result("b", p_value=0.5, threshold=0.001, impact=None, drifted=False),
    )
    found = told(Store(make_result(rows=321, drift=drift)))
    assert found["churn_window_rows",] == 321
    assert found["churn_drift_statistic", "a"] == surprise(1e-6) == pytest.approx(6)
    assert found["churn_drift_threshold", "a"] == pytest.approx(2)
    assert found["churn_drift_threshold", "b"] == pytest.approx(3)
    assert {name: value for name, value in found.items() if name[0] == "churn_drift_impact"} == {
        ("churn_drift_impact", "a"): -0.5
    }
    assert {key[1]: value for key, value in found.items() if key[0] == "churn_drift_alarm"} == {
        "covariate": 1.0,
        "prediction": 0.0,
        "joint": 0.0,
    }


def test_a_family_without_values_is_left_out() -> None:
    found = told(Store(make_result(drift=make_drift(make_drift_result(impact=None)))))
    assert not any(name[0] == "churn_drift_impact" for name in found)
    assert told(Store(make_result(drift=None))) == {}


def test_each_source_has_the_measures_that_it_knows() -> None:
    realized = Performance(100, **{measure: 0.1 + n for n, measure in enumerate(MEASURES.values())})
    reference = Performance(1500, brier=0.1)
    labelled = make_result(labelled_rows=77, concept_alarm=True, performance=PerformanceComparison(realized, reference))
    found = told(Store(None, labelled), 0.05)
    for n, name in enumerate(MEASURES):
        assert found[name, "realized"] == pytest.approx(0.1 + n)
    assert [key for key in found if key[1:] == ("reference",)] == [("churn_brier_score", "reference")]
    assert found["churn_window_labelled_rows",] == 77
    assert found["churn_drift_alarm", "concept"] == 1.0
    assert found["churn_brier_page_limit",] == pytest.approx(0.15)
    assert ("churn_brier_page_limit",) not in told(Store(None, labelled), None)
    unknown = replace(labelled, performance=PerformanceComparison(realized, Performance(1500)))
    assert ("churn_brier_page_limit",) not in told(Store(None, unknown), 0.05)
    assert ("churn_brier_page_limit",) not in told(
        Store(None, replace(labelled, performance=PerformanceComparison(realized))), 0.05
    )


def test_what_outcomes_are_worth_and_whether_anything_can_still_be_known() -> None:
    names = ("effective_rows", "aside_rows", "blind")
    usual = told(Store(None, make_result(labelled_rows=77)))
    assert [usual[f"churn_window_{name}",] for name in names] == [77, 0, 0], "each stands for itself"
    weighed = WindowSummary(rows=200, labelled_rows=77, aside_rows=12, effective_rows=31.5)
    found = told(Store(None, replace(make_result(labelled_rows=77), window=weighed)))
    assert [found[f"churn_window_{name}",] for name in names] == [31.5, 12, 0]
    blind = told(Store(None, replace(make_result(labelled_rows=77), window=replace(weighed, effective_rows=0.0, blind=True))))
    assert [blind[f"churn_window_{name}",] for name in names] == [0, 12, 1]


def test_what_was_estimated_is_of_the_run_with_predictions() -> None:
    estimated = Estimate(100, 0.8, 0.1, 0.2, 1.5, {})
    found = told(Store(make_result(performance=PerformanceComparison(estimated=estimated))))
    assert {key: value for key, value in found.items() if key[0] in MEASURES} == {
        ("churn_roc_auc", "estimated"): 0.8,
        ("churn_brier_score", "estimated"): 0.1,
        ("churn_rate", "estimated"): 0.2,
        ("churn_profit_per_customer", "estimated"): 1.5,
    }


@pytest.mark.parametrize("name", EXPORTED)
def test_every_family_has_its_labels_and_a_counter_ends_in_total(name: str) -> None:
    declared = EXPORTED[name]
    labels = tuple(f"value of {label}" for label in declared.labels)
    family = exported(name, {labels: 2.0})
    (sample,) = family.samples
    assert (sample.name, sample.labels, sample.value) == (name, dict(zip(declared.labels, labels, strict=True)), 2.0)
    assert (family.type, family.documentation) == (declared.kind, declared.help)
    assert (declared.kind == "counter") == name.endswith("_total")


@pytest.mark.parametrize("value", [3, 0.5])
def test_a_family_without_labels_takes_its_one_value(value: float) -> None:
    (sample,) = exported("churn_window_rows", value).samples
    assert (sample.labels, sample.value) == ({}, value)


def test_how_large_each_segment_is_is_told_where_it_is_known() -> None:
    result = replace(make_result(), segments={"calls service often": 0.2, "typical": 0.8, "nobody": 0.0})
    found = {key[1]: value for key, value in told(Store(result)).items() if key[0] == "churn_window_segment_share"}
    assert found == {"calls service often": 0.2, "typical": 0.8, "nobody": 0.0}
    assert not any(key[0] == "churn_window_segment_share" for key in told(Store(make_result())))


def test_slices_tell_who_left_and_what_was_expected_the_most_surprising_forty() -> None:
    worse, calm = make_slice(), make_slice("area", "north", p_value=0.5, alarm=False, churn_rate=0.1)
    known = told(Store(labelled=make_result(slices=make_slices(calm, worse))))
    names = ("alarm", "rate", "expected_rate", "brier_score", "rows")
    assert [known[f"churn_slice_{name}", "plan: Yes"] for name in names] == [1, 0.31, 0.12, 0.21, 120]
    assert [known[f"churn_slice_{name}", "area: north"] for name in names] == [0, 0.1, 0.12, 0.21, 120]
    assert known["churn_drift_alarm", "concept"] == 1
    many = make_slices(*(make_slice("state", f"S{n}", p_value=1 / (n + 1)) for n in range(50)))
    shown = {key[1] for key in told(Store(labelled=make_result(slices=many))) if key[0] == "churn_slice_alarm"}
    assert shown == {f"state: S{n}" for n in range(10, 50)}
    assert not [key for key in told(Store(labelled=make_result())) if key[0].startswith("churn_slice")]


def test_gaps_between_sensitive_groups_are_told_where_there_are_any() -> None:
    found = told(Store(labelled=make_result(groups=make_groups())))
    assert {key: value for key, value in found.items() if key[0].startswith("churn_group")} == {
        ("churn_group_gap", "gender", "recall"): 0.29,
        ("churn_group_gap_p_value", "gender", "recall"): 0.001,
        ("churn_group_rate", "gender: male", "recall"): 0.71,
        ("churn_group_rate", "gender: female", "recall"): 0.42,
    }
    for none in (make_result(), make_result(groups=replace(make_groups(), gaps=()))):
        assert not any(key[0].startswith("churn_group") for key in told(Store(labelled=none)))
