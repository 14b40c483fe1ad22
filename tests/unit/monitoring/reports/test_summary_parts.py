"""The words and rows of the run's page, each by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitoring.performance.comparison import PerformanceComparison
from monitoring.performance.metrics import Performance
from monitoring.reports import summary
from tests.unit.monitoring.results import make_drift, make_drift_result, make_result


@pytest.mark.parametrize(
    ("impact", "words"),
    [
        (None, "not known"),
        (0.0, "next to nothing (+0.00 log-odds)"),
        (-0.019, "next to nothing (-0.02 log-odds)"),
        (0.02, "a little, more churn expected (+0.02 log-odds)"),
        (-0.05, "a little, less churn expected (-0.05 log-odds)"),
        (0.1, "clearly, more churn expected (+0.10 log-odds)"),
        (-0.3, "a lot, less churn expected (-0.30 log-odds)"),
        (2.0, "a lot, more churn expected (+2.00 log-odds)"),
    ],
)
def test_an_impact_is_called_by_its_size_and_direction(impact: float | None, words: str) -> None:
    assert summary._matters(impact) == words


@pytest.mark.parametrize(("currency", "shown"), [("EUR", "EUR"), (None, "money"), ("", "money")])
def test_a_profit_is_in_its_currency(currency: str | None, shown: str) -> None:
    realized = Performance(10, brier=0.2, profit=1.5, intervals={"brier": (0.1, 0.3)})
    performance = PerformanceComparison(realized, Performance(20, brier=0.1), gaps=("brier",), currency=currency)
    sides = summary._sides(performance)
    assert list(sides) == ["realized", "reference"]
    brier, profit = summary._quality(performance, sides)
    assert (brier.name, brier.values, brier.intervals, brier.gap) == (
        "Brier score (lower is better)",
        [0.2, 0.1],
        [(0.1, 0.3), None],
        True,
    )
    assert profit.name == f"Profit of a campaign, {shown} per customer (higher is better)"
    assert (profit.values, profit.gap) == ([1.5, None], False)


def test_what_moved_has_moved_since_the_first_of_an_unbroken_row_of_the_same() -> None:
    moved, other = make_drift(make_drift_result("a")), make_drift(make_drift_result("a", aspect="missing"))
    run = make_result(run_id="now", drift=moved)
    result = moved.results[0]

    def since(*earlier: object) -> str:
        runs = [replace(run, run_id=str(n), drift=drift) for n, drift in enumerate(earlier)]  # type: ignore[type-var]
        return summary._since(result, run, runs).run_id  # type: ignore[arg-type]

    assert since() == "now"
    assert since(moved, moved) == "1"
    # A run that judged no customers is passed over; one that found something else ends the row.
    assert since(None, moved, other, moved) == "1"
    assert since(other, moved) == "now"


@pytest.mark.parametrize(
    ("value", "sign", "shown"),
    [
        *((None, "", "-"), (None, "+", "-"), (0.0, "", "0"), (0.12345, "", "0.123"), (-0.12345, "+", "-0.123"), (5.0, "+", "+5")),
        *((999.4, "", "999"), (1_000.0, "", "1,000"), (-1_234_567.8, "", "-1,234,568"), (12_345.0, "+", "+12,345")),
    ],
)
def test_figures_are_for_people(value: float | None, sign: str, shown: str) -> None:
    assert summary._number(value, sign) == shown
