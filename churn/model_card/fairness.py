"""What the model card says of a candidate that was trained with reweighed customers. Markdown."""

from __future__ import annotations

from churn.model_card.markdown import code, interval, line, number, table
from churn.model_card.quality import PER_CUSTOMER, Report

PICTURE = "plots/fairness.png"
HEADER = ("on the holdout", "without weights", "with weights", "change")


def fairness_section(reweighing: Report | None, currency: str = "") -> str:
    """Describe whether reweighed customers were learned from, what that changed between groups, and what it cost.

    Parameters
    ----------
    reweighing : mapping or None
        `churn.fairness.reweighing.Reweighing.report()`; None if no such candidate was asked for.
    currency : str
        Of profits.

    Returns
    -------
    str
        Markdown; empty if there is nothing to say.
    """
    if reweighing is None:
        return ""
    text = line(reweighing["sentence"])
    parts = ["### Reweighing", f"{text[:1].upper()}{text[1:]}."]
    if reweighing["cells"]:
        cells = "; ".join(code(cell) for cell in reweighing["cells"])
        parts.append(
            f"With weights, the outcome does not depend on the group (Kamiran and Calders, 2012). Groups, of "
            f"{reweighing['weighed']:,} of {reweighing['rows']:,} training rows (the others weigh 1): {cells}. The weights are "
            "for learning only: all scores count each customer as ever."
        )
        rows = [
            (f"gap: {gap['measure'].replace('_', ' ')} by {code(gap['column'])}", *_change(gap["first"], gap["second"], gap))
            for gap in reweighing["gaps"]
        ]
        for name, (before, after, change, low, high) in reweighing["costs"].items():
            unit = f" ({currency} per customer)" if currency and name in PER_CUSTOMER else ""
            rows.append((name + unit, *_change(before, after, {"change": change, "low": low, "high": high})))
        how = f"Intervals of the change: {reweighing['confidence']:.0%}, by customer."
        parts += [table(HEADER, rows), f"{how} Picture: {code(PICTURE)} of the MLflow run." if reweighing["gaps"] else how]
    return "\n\n".join(parts)


def _change(before: float, after: float, change: Report) -> tuple[str, str, str]:
    return number(before), number(after), f"{change['change']:+.4f} {interval(change)}"
