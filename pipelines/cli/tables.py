"""Tables for people: how good a model is, how a challenger did in the shadow, what was decided."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.markup import escape
from rich.table import Table

from churn.store.records import Decision, DecisionAction, DecisionKind
from pipelines.console import console

if TYPE_CHECKING:
    from churn.evaluation.report import Evaluation
    from churn.store.shadow import ShadowComparison

MONEY = ("profit", "empc")
DIGEST_SHOWN = 8


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


def as_document(decision: Decision) -> dict[str, Any]:
    """Return a decision ready for JSON."""
    return {**asdict(decision), "decided_at": decision.decided_at.isoformat()}


def history_table(decisions: list[Decision]) -> Table:
    """Return a row for each decision: when; what, of which version and by whom; beneath it why, and what is known of the model.

    A reason is a sentence or two: in a column of its own it would be a pillar of single words on a common terminal.
    """
    table = Table("when", "what was decided, and why", box=box.SIMPLE_HEAD, pad_edge=False)
    for one in decisions:
        unfinished = one.kind == DecisionKind.INTENT and one.action != DecisionAction.FAILED
        what = f"{one.action}: UNFINISHED" if unfinished else f"{one.kind}: {one.action}"
        version = f", version {escape(one.model_version)}" if one.model_version else ""
        lines = [
            f"[bold]{what}[/bold]{version}, by {escape(one.actor)}",
            escape(one.reason),
            f"[dim]{_known_of_model(one)}[/dim]",
        ]
        table.add_row(f"{one.decided_at:%Y-%m-%d %H:%M:%S}", "\n".join(lines))
    return table


def _known_of_model(decision: Decision) -> str:
    """Say what a decision's evidence knows of its model; what it does not know is left out."""
    known = decision.evidence
    threshold = known.get("threshold")
    facts = {
        "instead of version": str(known.get("replaced") or ""),
        "data": str(known.get("data_digest") or "")[:DIGEST_SHOWN],
        "threshold": f"{threshold:.4f}" if isinstance(threshold, float) else "",
        "reference": str(known.get("reference_digest") or "")[:DIGEST_SHOWN],
    }
    return escape(", ".join(f"{name} {value}" for name, value in facts.items() if value))


def shadow_table(compared: ShadowComparison) -> Table:
    """Return a comparison as a table: both answers to the same customers, and whose came true more closely (lower is better)."""
    table = Table("in the shadow", "challenger", "champion", title=f"{compared.n} customers whom both answered")
    table.add_row("probability, mean difference", f"{compared.mean_difference:+.4f}", "")
    table.add_row("probability, mean absolute difference", f"{compared.mean_absolute_difference:.4f}", "")
    table.add_row("decided otherwise", f"{compared.disagreement_rate:.2%}", "")
    if compared.labelled:
        table.add_row(
            f"Brier score of {compared.labelled} that came true", *map(_score_or_blank, (compared.brier, compared.brier_champion))
        )
        table.add_row("log loss of these", *map(_score_or_blank, (compared.log_loss, compared.log_loss_champion)))
    if compared.leavers_only:
        table.add_row("outcomes seem to be told of leavers only", "", "")
    return table


def _score_or_blank(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
