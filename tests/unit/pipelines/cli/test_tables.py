"""Tables for people say what is known, and leave empty what is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.shadow import ShadowComparison
from pipelines.cli.tables import history_table, shadow_table


def cells(table: Table) -> list[list[str]]:
    """Give the rows, as they are shown."""
    console = Console(width=400)
    columns = [[console.render_str(str(cell)).plain for cell in column._cells] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def decided(kind: DecisionKind, action: DecisionAction, version: str | None = "4", **evidence: Any) -> Decision:
    at = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
    return Decision(kind, action, "anna [x]", "for [reasons]", version, evidence=evidence, decided_at=at)


@pytest.mark.parametrize(
    ("kind", "action", "shown"),
    [
        (DecisionKind.GATE, DecisionAction.PASSED, "gate: passed"),
        (DecisionKind.INTENT, DecisionAction.FAILED, "intent: failed"),
        (DecisionKind.INTENT, DecisionAction.PROMOTION, "promotion: UNFINISHED"),
    ],
)
def test_what_was_begun_and_has_no_end_is_unfinished(kind: DecisionKind, action: DecisionAction, shown: str) -> None:
    ((when, what),) = cells(history_table([decided(kind, action)]))
    assert (when, what.splitlines()[0]) == ("2026-03-01 12:30:05", f"{shown}, version 4, by anna [x]")


def test_evidence_is_shown_where_it_is_known() -> None:
    known = {"replaced": "3", "data_digest": "0123456789", "threshold": 0.25, "reference_digest": "abcdefghij"}
    full = decided(DecisionKind.GATE, DecisionAction.PASSED, **known)
    empty = decided(DecisionKind.GATE, DecisionAction.PASSED, None)
    shown = [what.splitlines() for _, what in cells(history_table([full, empty]))]
    facts = "instead of version 3, data 01234567, threshold 0.2500, reference abcdefgh"
    assert shown == [
        ["gate: passed, version 4, by anna [x]", "for [reasons]", facts],
        ["gate: passed, by anna [x]", "for [reasons]"],
    ]


def comparison(**changes: Any) -> ShadowComparison:
    known = {"n": 10, "mean_difference": 0.01, "mean_absolute_difference": 0.02, "disagreement_rate": 0.125, "labelled": 0}
    scores = dict.fromkeys(("brier", "brier_champion", "log_loss", "log_loss_champion"))
    return ShadowComparison(**{**known, **scores, **changes})


def test_scores_are_shown_once_something_came_true() -> None:
    assert cells(shadow_table(comparison())) == [
        ["probability, mean difference", "+0.0100", ""],
        ["probability, mean absolute difference", "0.0200", ""],
        ["decided otherwise", "12.50%", ""],
    ]
    scored = cells(shadow_table(comparison(labelled=4, brier=0.1, brier_champion=0.2, log_loss=0.0, log_loss_champion=None)))
    assert scored[3:] == [["Brier score of 4 that came true", "0.1000", "0.2000"], ["log loss of these", "0.0000", ""]]
    doubtful = cells(shadow_table(comparison(leavers_only=True)))
    assert doubtful[3:] == [["outcomes seem to be told of leavers only", "", ""]]
