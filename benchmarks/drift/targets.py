"""What issues 5 and 21 ask for, beside what was measured."""

from __future__ import annotations

from typing import Any

from benchmarks.drift.by_slice import CALM, DRIFT_SLICES, OUTCOME_SLICES, RUN, WITHOUT
from benchmarks.drift.simulations import OURS, Result

# Shift, rows, least share found.
FOUND = (
    ("day minutes", 500, 0.99),
    ("service calls", 500, 0.99),
    ("broken dependence", 1_000, 0.95),
    ("missing", 1_000, 0.95),
    ("mix", 1_000, 0.90),
)
# Share of windows of 5,000 in which a change of a tenth of the customers is found, whatever it is.
FOUND_IN_A_TENTH, LARGE = 0.9, 5_000
MAX_FALSE, MAX_FALSE_BOUND = 0.015, 0.02


def keeps_its_rate(null: Result, who: str) -> bool:
    """Whether somebody alarms without drift as rarely as was asked."""
    return null.rate(who)[0] <= MAX_FALSE and null.upper(who) <= MAX_FALSE_BOUND


def compare(
    results: list[Result], concept: list[dict[str, Any]], scale: list[dict[str, Any]], groups: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """List each target that was measured, and whether it was reached."""
    rows: list[dict[str, Any]] = []
    nulls = {(r.cell.population, r.cell.rows): r for r in results if r.cell.shift is None}
    for (population, size), null in nulls.items():
        said = f"{null.rate(OURS)[0]:.2%}, 95 % upper bound {null.upper(OURS):.2%}, of {null.trials[OURS]:,}"
        rows.append(_row(f"{population}, {size:,} rows: false alarms", "≤ 1.5 %, bound ≤ 2 %", said, keeps_its_rate(null, OURS)))
    for result in results:
        cell = result.cell
        least = next((least for shift, size, least in FOUND if (shift, size) == (cell.shift, cell.rows)), None)
        if cell.shift is None or least is None or cell.population != "real":
            continue
        rate = result.rate(OURS)[0]
        calm = nulls.get((cell.population, cell.rows))
        fair = {w: result.rate(w)[0] for w in result.trials if w != OURS and calm is not None and keeps_its_rate(calm, w)}
        best = max(fair.values(), default=0.0)
        said = f"{rate:.1%} of {result.trials[OURS]}; best fair peer {best:.1%}"
        rows.append(_row(f"{cell.shift}, {cell.rows:,} rows: found", f"≥ {least:.0%}", said, rate >= max(least, best)))
    for figures in concept[:1]:
        rows.append(
            _row("outcomes: false alarms in 5,000", "≤ 5 %", f"{figures['false_alarms']:.1%}", figures["false_alarms"] <= 0.05)
        )
        for points, most in (("+10", 300), ("+5", 800)):
            median, missed = figures[f"median {points}"], figures[f"missed {points}"]
            reached = median is not None and median <= most and missed <= 0.01
            rows.append(
                _row(f"errors {points} points", f"median ≤ {most}, ≤ 1 % missed", f"{median}, {missed:.1%} missed", reached)
            )
    for figures in scale:
        for run in ("next run", "first run"):
            if (ratio := figures.get(f"ratio, {run}")) is not None:
                sides = f"{figures['rows']:,} x {figures['rows']:,} rows"
                rows.append(_row(f"{sides}, {run}, beside Evidently", "≥ 10 x", f"{ratio:.1f} x", ratio >= 10))
        if (seconds := figures.get("seconds")) is not None:
            said, reached = f"{seconds:.1f} s, {figures['peak MB']:.0f} MB", seconds <= 10 and figures["peak MB"] <= 500
            rows.append(_row(f"a monitoring run on {figures['rows']:,} rows in the store", "≤ 10 s, ≤ 500 MB", said, reached))
    return rows + [_of_groups(figures) for figures in groups if figures["case"] == CALM or figures["rows"] >= LARGE]


def _row(what: str, target: str, measured: str, reached: bool) -> dict[str, Any]:
    return {"what": what, "target": target, "measured": measured, "reached": reached}


def _of_groups(figures: dict[str, Any]) -> dict[str, Any]:
    """Compare a case of slices: without drift the run keeps its rate; with a change of a tenth, slices add to what is found."""
    slices = f"outcomes of slices {figures[OUTCOME_SLICES]:.1%}, predictions for slices {figures[DRIFT_SLICES]:.1%}"
    said = f"{figures[RUN]:.1%}, without slices {figures[WITHOUT]:.1%}, {slices}, of {figures['windows']}"
    what = f"a tenth, {figures['rows']:,} rows: {figures['case']}"
    if figures["case"] == CALM:
        return _row(what, "≤ 1.5 % false alarms", said, figures[RUN] <= MAX_FALSE)
    reached = figures[RUN] >= max(FOUND_IN_A_TENTH, figures[WITHOUT])
    return _row(what, f"≥ {FOUND_IN_A_TENTH:.0%} found, and no fewer than without", said, reached)
