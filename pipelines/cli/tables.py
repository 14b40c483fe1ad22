"""A model's quality as tables for people."""

from __future__ import annotations

from rich import box
from rich.table import Table

from churn.evaluation.report import Evaluation
from pipelines.console import console

MONEY = ("profit", "empc")


def print_scorecard(found: Evaluation, title: str) -> None:
    """Print the scores with their intervals, then those of the slices, and who could not be sliced."""
    console.print(_scores(found, title))
    if not found.slices.empty:
        console.print(_slices(found))
    if not found.gaps.empty:
        console.print(_gaps(found))
    for note in found.notes:
        console.print(note, style="dim", markup=False)


def _scores(found: Evaluation, title: str) -> Table:
    table = Table("measure", title=title)
    table.add_column("value", justify="right")
    table.add_column(f"{found.confidence:.0%} interval", justify="right")
    for name, value in found.card.report().items():
        unit = f" ({found.currency} per customer)" if name in MONEY else ""
        low_high = found.intervals.get(name)
        table.add_row(name + unit, _shown(value), f"{low_high[0]:.4f} to {low_high[1]:.4f}" if low_high else "")
    return table


def _slices(found: Evaluation) -> Table:
    # No lines between the columns: it is a wide table.
    table = Table("slice", title="slices of the customers", box=box.SIMPLE_HEAD)
    for name in ("rows", "churn", "ROC AUC", "log loss", "calibration gap", "recall"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found.slices.to_dict("records"):
        table.add_row(
            f"{row['column']}: {row['level']}",
            f"{row['rows']:,}",
            f"{row['churn_rate']:.3f}",
            f"{row['roc_auc']:.3f}",
            f"{row['log_loss']:.3f} ({row['log_loss_low']:.3f} to {row['log_loss_high']:.3f})",
            f"{row['calibration_gap']:+.3f} ({row['calibration_gap_low']:+.3f} to {row['calibration_gap_high']:+.3f})",
            f"{row['recall']:.3f}",
        )
    return table


def _gaps(found: Evaluation) -> Table:
    table = Table("column", title="gaps between a column's slices: largest minus smallest")
    for name in ("slices", "churn rate", "selected (demographic parity)", "recall (equal opportunity)"):
        table.add_column(name, justify="right")
    for row in found.gaps.to_dict("records"):
        gaps = (f"{row[name]:.3f}" for name in ("churn_rate", "selection_rate", "recall"))
        table.add_row(str(row["column"]), str(row["levels"]), *gaps)
    return table


def _shown(value: float | None) -> str:
    if value is None:
        return "not known"
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"
