"""A picture of what reweighing changes between groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churn.fairness.reweighing import Reweighing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_reweighing(reweighing: Reweighing, title: str) -> Figure:
    """Draw each group's rates without and with weights, and the change of each gap with its interval.

    Parameters
    ----------
    reweighing : Reweighing
        With gaps.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        12 inches wide, as high as the groups need; the caller saves it. Not registered with pyplot: nothing to close.
    """
    from matplotlib.figure import Figure

    names, before, after, ends = [], [], [], []
    for gap in reweighing.gaps:
        for level, rates in gap.rates.items():
            names.append(f"{gap.name}: {level}")
            before.append(rates[0])
            after.append(rates[1])
        ends.append(len(names))
    figure = Figure(figsize=(12, 2.2 + 0.32 * len(names)), layout="constrained")
    rates, gaps = figure.subplots(1, 2)
    figure.suptitle(f"{title}; the model {'with' if reweighing.taken else 'without'} weights was taken")

    rates.hlines(range(len(names)), before, after, color="0.7")
    rates.plot(before, range(len(names)), "o", markerfacecolor="white", label="without weights")
    rates.plot(after, range(len(names)), "o", color="C0", label="with weights")
    for end in ends[:-1]:
        rates.axhline(end - 0.5, color="0.85", linewidth=0.8)
    rates.set_yticks(range(len(names)), names)
    rates.set(title="Rate of each group", xlabel="share that is named (answered as churn)")
    rates.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False, ncols=2)

    change = np.array([gap.change for gap in reweighing.gaps])
    low, high = (np.array([getattr(gap, side) for gap in reweighing.gaps]) for side in ("low", "high"))
    # A percentile interval need not hold its own value.
    gaps.errorbar(change, range(len(change)), xerr=np.clip([change - low, high - change], 0, None), fmt="o", capsize=3)
    gaps.axvline(0, color="0.5", linestyle="--")
    labels = [f"{gap.name}\n{gap.first:.3f} → {gap.second:.3f}" for gap in reweighing.gaps]
    gaps.set_yticks(range(len(change)), labels)
    gaps.margins(y=0.3)
    gaps.set(title=f"Change of each gap, {reweighing.confidence:.0%} intervals", xlabel="below 0: narrower with weights")
    for axes in (rates, gaps):
        axes.invert_yaxis()
        axes.grid(alpha=0.3, axis="x")
    return figure
