"""The box plot of the race."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.model.baselines import OURS
from benchmarks.model.cross_validation import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(scores: pd.DataFrame, title: str) -> Figure:
    """Draw a box a baseline and a panel a metric; the pipeline of this repository stands out."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(scores["baseline"]))
    figure = Figure(figsize=(15, 0.42 * len(names) + 1.6), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(METRICS), sharey=True)
    for panel, (metric, label) in zip(panels, METRICS.items(), strict=True):
        values = [scores.loc[scores["baseline"] == name, metric].to_numpy() for name in names]
        boxes = panel.boxplot(values, orientation="horizontal", patch_artist=True, widths=0.6, medianprops={"color": "black"})
        for name, box in zip(names, boxes["boxes"], strict=True):
            box.set_facecolor("tab:orange" if name == OURS else "0.85")
        panel.set(title=f"{label}\n({'more' if metric in ('roc_auc', 'pr_auc') else 'less'} is better)")
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(1, len(names) + 1), labels=names)
    panels[0].invert_yaxis()
    return figure
