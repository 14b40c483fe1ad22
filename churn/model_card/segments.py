"""The section of a model card on segments. Markdown."""

from __future__ import annotations

from churn.model_card.markdown import code, line, number, table
from churn.model_card.quality import UNKNOWN, Report
from churn.modeling.model_info import ModelInfo
from churn.segments.segments import SLICE

# Reasons of a segment that are listed, of those that count for at least so much, in log-odds.
MAX_LISTED, MIN_LISTED = 3, 0.1
PICTURE = "plots/segments.png"


def segments_section(info: ModelInfo, evaluation: Report | None) -> str:
    """Describe the groups that customers fall into, by the reasons of their answers.

    Parameters
    ----------
    info : ModelInfo
    evaluation : mapping or None
        `Evaluation.report()`: its slices say how many of a segment's customers left.

    Returns
    -------
    str
        Markdown.
    """
    if (segments := info.segments) is None:
        return UNKNOWN
    if len(segments.names) == 1:
        return "The customers fall into no groups that samples of them agree on: there is one segment, everybody."
    measured = {row["level"]: row for row in (evaluation or {"slices": ()})["slices"] if row["column"] == SLICE}
    rows = []
    for name, share, centre in zip(segments.names, segments.shares, segments.centres, strict=True):
        strongest = sorted(zip(segments.columns, centre, strict=True), key=lambda pair: -abs(pair[1]))[:MAX_LISTED]
        reasons = ", ".join(f"{code(column)} {value:+.2f}" for column, value in strongest if abs(value) >= MIN_LISTED)
        rows.append((line(name), f"{share:.1%}", number(measured.get(name, {}).get("churn_rate")), reasons or "none"))
    header = ("segment", "share of those trained on", "churn rate of those held out", "mean contributions, log-odds")
    return (
        f"Customers in groups by the reasons of their answers (k-means of contributions); as many groups as bootstrap samples "
        f"agree on (mean adjusted Rand index {number(segments.stability)}). Named by their strongest reasons, the highest risk "
        f"first. How the model does in each: under Slices, as {line(SLICE)}. Picture: {code(PICTURE)} of the MLflow run, by "
        f"principal components; `churn model segments --projection t-sne` draws it anew.\n\n{table(header, rows)}"
    )
