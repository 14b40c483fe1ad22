"""What was decided, for people and for scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.markup import escape
from rich.table import Table

from churn.store.records import Decision, DecisionAction, DecisionKind

DIGEST_SHOWN = 8


def as_document(decision: Decision) -> dict[str, Any]:
    """Give a decision ready for JSON."""
    return {**asdict(decision), "decided_at": decision.decided_at.isoformat()}


def history_table(decisions: list[Decision]) -> Table:
    """Give a table with a line for each decision; what one does not know of a model is left empty."""
    table = Table("when", "who or what", "decision", "version", "instead of", "data", "threshold", "reference", "why")
    for one in decisions:
        known = one.evidence
        threshold = known.get("threshold")
        table.add_row(
            f"{one.decided_at:%Y-%m-%d %H:%M:%S}",
            escape(one.actor),
            f"{one.kind}: {one.action}"
            if one.kind != DecisionKind.INTENT or one.action == DecisionAction.FAILED
            else f"{one.action}: UNFINISHED",
            one.model_version or "",
            str(known.get("replaced") or ""),
            str(known.get("data_digest") or "")[:DIGEST_SHOWN],
            f"{threshold:.4f}" if isinstance(threshold, float) else "",
            str(known.get("reference_digest") or "")[:DIGEST_SHOWN],
            escape(one.reason),
        )
    return table
