"""The gains curve as a picture, drawn without a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churn.campaigns.ranking import GainsCurve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_gains(curve: GainsCurve, chosen: int, currency: str, title: str) -> Figure:
    """Draw the cumulative expected gain by number of calls, with the chosen point.

    Parameters
    ----------
    curve : GainsCurve
    chosen : int
        Calls of the plan: one of the curve's points.
    currency : str
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        9 x 5.5 inches; the caller saves it. Not registered with pyplot: nothing to close.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import StrMethodFormatter

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    best = int(np.argmax(curve.gain))
    gain = float(curve.gain[np.searchsorted(curve.calls, chosen)])
    axes.plot(curve.calls, curve.gain, label="expected gain, best customers first")
    axes.axhline(0, color="0.6", linewidth=1)
    axes.plot([0, curve.calls[-1]], [0, curve.gain[-1]], color="0.6", linestyle="--", label="customers in any order")
    if int(curve.calls[best]) != chosen:
        label = f"most gain: {curve.calls[best]:,} calls, {curve.gain[best]:,.0f} {currency}"
        axes.plot(curve.calls[best], curve.gain[best], "o", color="C0", markerfacecolor="white", label=label)
    axes.axvline(chosen, color="C2", linestyle=":")
    axes.plot(chosen, gain, "o", color="C2", label=f"the plan: {chosen:,} calls, {gain:,.0f} {currency}")
    # A call to everybody may lose so much that what a plan gains is a dot: the floor is as deep as the peak is high.
    top = max(float(curve.gain[best]), 1.0)
    axes.set_ylim(max(-top, min(0.0, float(curve.gain.min()))) - 0.08 * top, 1.12 * top)
    axes.set(title=title, xlabel="calls", ylabel=f"cumulative expected gain, {currency}", xlim=(0, max(int(curve.calls[-1]), 1)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    return figure
