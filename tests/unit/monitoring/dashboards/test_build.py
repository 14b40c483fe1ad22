"""What a question becomes in Grafana's JSON, and the PromQL that several boards share."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitoring.dashboards import build as module
from monitoring.dashboards.question import Question, by_source, quantile_of, rate_of

FLOWS = Question("Failed", "Of the newest runs.", "none", (("churn_flow_last_failed", "{{flow}}"),), "stat", 1)
TIMES = Question("Duration", "Of requests.", "s", ((quantile_of(0.5), "half"), (quantile_of(0.99), "p99")))
LIMITED = Question("Rate", "Of errors.", "reqps", (("a", "{{b}}"),), limit=0.01)
SPREAD = Question("Spread", "All of them.", "s", (("sum by (le) (b)", "{{le}}"),), "heatmap")


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    rows = (("Flows", (FLOWS,)), ("Requests", (TIMES, LIMITED, SPREAD)))
    monkeypatch.setattr(module, "BOARDS", {"mine": ("What is asked.", rows)})
    found: dict[str, Any] = json.loads(module.build("mine"))
    return found


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def test_a_board_says_what_it_is_and_shows_the_zone_that_all_else_is_told_in(board: dict[str, Any]) -> None:
    assert (board["title"], board["uid"], board["description"]) == ("churn: mine", "churn-mine", "What is asked.")
    assert (board["timezone"], board["editable"], board["tags"]) == ("utc", False, ["churn"])
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert set(variables) == {"datasource", "instance", "version"}
    assert [variables[name]["allValue"] for name in ("instance", "version")] == [".*", ".*"]


def test_rows_and_panels_come_in_order_and_each_panel_has_a_number_of_its_own(board: dict[str, Any]) -> None:
    assert [one["title"] for one in board["panels"]] == ["Flows", "Failed", "Requests", "Duration", "Rate", "Spread"]
    assert [one["id"] for one in panels(board)] == [1, 2, 3, 4]
    assert [one["type"] for one in panels(board)] == ["stat", "timeseries", "timeseries", "heatmap"]
    assert [(one["description"], one["fieldConfig"]["defaults"]["unit"]) for one in panels(board)][:2] == [
        ("Of the newest runs.", "none"),
        ("Of requests.", "s"),
    ]


def test_each_query_has_a_name_and_those_of_durations_lead_to_requests(board: dict[str, Any]) -> None:
    failed, times, _, spread = panels(board)
    assert [(one["refId"], one["expr"], one["legendFormat"]) for one in times["targets"]] == [
        ("A", quantile_of(0.5), "half"),
        ("B", quantile_of(0.99), "p99"),
    ]
    assert [one["exemplar"] for panel in (failed, times) for one in panel["targets"]] == [False, True, True]
    assert [one.get("format") for panel in (failed, spread) for one in panel["targets"]] == [None, "heatmap"]


def test_a_limit_is_red_above_it_and_a_line_where_time_runs(board: dict[str, Any]) -> None:
    failed, times, limited, _ = (one["fieldConfig"]["defaults"] for one in panels(board))
    for panel, limit in ((failed, 1), (limited, 0.01)):
        assert [(one["value"], one["color"]) for one in panel["thresholds"]["steps"]] == [(None, "green"), (limit, "red")]
    assert limited["custom"]["thresholdsStyle"]["mode"] == "dashed"
    assert "thresholds" not in times


def test_a_rate_is_summed_over_all_labels_but_those_that_are_kept() -> None:
    assert rate_of("a_total") == 'sum (rate(a_total{instance=~"$instance"}[$__rate_interval]))'
    assert rate_of("a_total", "b, c", 'd="e"') == 'sum by (b, c) (rate(a_total{d="e"}[$__rate_interval]))'


def test_a_quantile_is_of_the_predictions_of_the_chosen_instances() -> None:
    buckets = 'churn_http_request_duration_seconds_bucket{instance=~"$instance", route="/predict"}'
    assert quantile_of(0.99) == f"histogram_quantile(0.99, sum by (le) (rate({buckets}[$__rate_interval])))"


def test_a_measure_is_shown_by_its_source() -> None:
    assert by_source("Brier", "m", "d", "percent") == Question("Brier", "d", "percent", (("m", "{{source}}"),))
