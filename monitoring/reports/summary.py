"""A monitoring run on one page, for who is on call: what was decided, what moved and since when, how much it matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from churn.store.records import DecisionAction
from monitoring.drift.results import DriftResult
from monitoring.performance.comparison import PerformanceComparison
from monitoring.performance.estimation import Estimate
from monitoring.performance.group_gaps import GroupGap
from monitoring.performance.metrics import Performance
from monitoring.reports.page import moment, render_page
from monitoring.run_result import RunResult
from monitoring.slice_quality import SliceQuality
from monitoring.slicing import describe_slice

STRIP = 30
MAX_MOVED, MAX_SLICES, MAX_GROUPS = 25, 10, 12
LETTERS: dict[str, str] = {
    DecisionAction.NONE: "·",
    DecisionAction.WATCH: "W",
    DecisionAction.RETRAIN: "R",
    DecisionAction.PAGE: "P",
}
MEASURES = {
    "roc_auc": "ROC AUC (higher is better)",
    "pr_auc": "PR AUC (higher is better)",
    "brier": "Brier score (lower is better)",
    "log_loss": "Log loss, nats (lower is better)",
    "churn_rate": "Share that left",
    "mean_probability": "Share that the model expected",
    "profit": "Profit of a campaign, {currency} per customer (higher is better)",
}
# Change of the mean log-odds, and how a person would call it.
SIZES = ((0.02, "next to nothing"), (0.1, "a little"), (0.3, "clearly"))


@dataclass(frozen=True)
class _DriftRow:
    """A line of the tables of what moved, and of what differs."""

    result: DriftResult
    matters: str
    since: str
    p: str


@dataclass(frozen=True)
class _QualityRow:
    """A line of the table of measures, a value and an interval for each side."""

    name: str
    values: list[float | None]
    intervals: list[tuple[float, float] | None]
    gap: bool


@dataclass(frozen=True)
class _SliceRow:
    """A line of the table of slices."""

    name: str
    slice: SliceQuality
    p: str


@dataclass(frozen=True)
class _GapRow:
    """A line of the table of gaps between groups."""

    name: str
    gap: float
    p: str
    rates: list[str]


@dataclass(frozen=True)
class _Square:
    """A run in the strip of the last ones."""

    at: datetime
    action: str
    letter: str


def render_summary(run: RunResult, earlier: Sequence[RunResult], *, false_alarm_rate: float) -> str:
    """Render a monitoring run as one HTML page that needs nothing else; every text in it is escaped.

    Parameters
    ----------
    run : RunResult
        The run to show.
    earlier : sequence of RunResult
        Runs on the same model version before this one, newest first.
    false_alarm_rate : float
        In (0, 1): chance that a run alarms without drift.

    Returns
    -------
    str
        Some 10 kB.
    """
    reports = (run.drift, run.moved, run.newcomers)
    differs, moved, newcomers = ([] if report is None else sorted(report.drifted, key=_weight) for report in reports)
    sides = _sides(run.performance)
    return render_page(
        "summary.html.j2",
        run=run,
        moved=[_row(result, "usual" if result.known else "this run") for result in moved if not result.note][:MAX_MOVED],
        newcomers=[_row(result, "this run") for result in newcomers if not result.note][:MAX_MOVED],
        differs=[_differs_row(result, run, earlier) for result in differs if not result.note][:MAX_MOVED],
        notes=[result for result in [*moved, *newcomers, *differs] if result.note][:MAX_MOVED],
        sides=list(sides),
        quality=_quality(run.performance, sides) if run.performance.realized else [],
        slices=_slices(run),
        gaps=[_gap(one) for one in run.groups.gaps] if run.groups is not None else [],
        strip=_strip(run, earlier),
        rate=false_alarm_rate,
        number=_number,
        probability=_probability,
    )


def _weight(result: DriftResult) -> tuple[float, float]:
    return -abs(result.impact or 0.0), result.p_value


def _row(result: DriftResult, since: str) -> _DriftRow:
    return _DriftRow(result, _matters(result.impact), since, _probability(result.p_value))


def _differs_row(result: DriftResult, run: RunResult, earlier: Sequence[RunResult]) -> _DriftRow:
    since = _since(result, run, earlier)
    shown = "this run" if since is run else moment(since.started_at)
    return _row(result, f"{shown}, said before" if result.known else shown)


def _since(result: DriftResult, run: RunResult, earlier: Sequence[RunResult]) -> RunResult:
    """Return the first of an unbroken row of runs that found the same; runs that judged no customers are passed over."""
    first = run
    for before in earlier:
        if before.drift is None:
            continue
        if result.key not in {found.key for found in before.drift.drifted}:
            break
        first = before
    return first


def _matters(impact: float | None) -> str:
    if impact is None:
        return "not known"
    size = next((word for most, word in SIZES if abs(impact) < most), "a lot")
    direction = "" if size == SIZES[0][1] else (" more churn expected" if impact > 0 else " less churn expected")
    return f"{size}{',' if direction else ''}{direction} ({impact:+.2f} log-odds)"


def _sides(performance: PerformanceComparison) -> dict[str, Performance | Estimate]:
    known = {"realized": performance.realized, "reference": performance.reference, "estimated": performance.estimated}
    return {name: side for name, side in known.items() if side is not None}


def _quality(performance: PerformanceComparison, sides: dict[str, Performance | Estimate]) -> list[_QualityRow]:
    rows = [
        _QualityRow(
            name=label.format(currency=performance.currency or "money"),
            # An estimate has fewer measures than a measurement.
            values=[getattr(side, measure, None) for side in sides.values()],
            intervals=[side.intervals.get(measure) for side in sides.values()],
            gap=measure in performance.gaps,
        )
        for measure, label in MEASURES.items()
    ]
    return [row for row in rows if any(value is not None for value in row.values)]


def _slices(run: RunResult) -> list[_SliceRow]:
    """Return the slices that say most against the model, the most surprising first."""
    judged = sorted(run.slices.judged if run.slices is not None else (), key=lambda one: one.p_value)
    return [_slice_row(one) for one in judged[:MAX_SLICES]]


def _slice_row(one: SliceQuality) -> _SliceRow:
    name = describe_slice(one.column, one.level)
    return _SliceRow(f"{name}, at first sight" if one.first else name, one, _probability(one.p_value))


def _gap(one: GroupGap) -> _GapRow:
    shown = one.rates if len(one.rates) <= MAX_GROUPS else (*one.rates[: MAX_GROUPS // 2], *one.rates[-MAX_GROUPS // 2 :])
    rates = [f"{part.group} {part.rate:.0%} of {part.among:,}" for part in shown]
    return _GapRow(f"{one.measure.replace('_', ' ')} by {one.column}", one.gap, _probability(one.p_value), rates)


def _strip(run: RunResult, earlier: Sequence[RunResult]) -> list[_Square]:
    shown = [run, *earlier[: STRIP - 1]]
    return [_Square(one.started_at, one.policy.action, LETTERS[one.policy.action]) for one in reversed(shown)]


def _number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.3g}" if abs(value) < 1000 else f"{value:{sign},.0f}"


def _probability(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"= {p:.4f}"
