"""How a challenger did beside the champion, as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from churn.store.shadow import ShadowComparison


def shadow_table(compared: ShadowComparison) -> Table:
    """Lay out a comparison: what both said of the same customers, and whose answers came true more closely (lower is better)."""
    table = Table("in the shadow", "challenger", "champion", title=f"{compared.n} customers whom both answered")
    table.add_row("probability, mean difference", f"{compared.mean_difference:+.4f}", "")
    table.add_row("probability, mean absolute difference", f"{compared.mean_absolute_difference:.4f}", "")
    table.add_row("decided otherwise", f"{compared.disagreement_rate:.2%}", "")
    if compared.labelled:
        table.add_row(
            f"Brier score of {compared.labelled} that came true", *map(_score, (compared.brier, compared.brier_champion))
        )
        table.add_row("log loss of these", *map(_score, (compared.log_loss, compared.log_loss_champion)))
    return table


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
