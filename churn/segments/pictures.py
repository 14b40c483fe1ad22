"""A picture of segments: how they hang together, and where their customers lie. Drawn without a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from churn.segments.segments import Nearest, Segments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Projection = Literal["pca", "t-sne"]
# More points than a picture shows; t-SNE takes seconds for so many.
MAX_POINTS = 1_500
# A name beside a picture is cut off where it would leave no room for the picture.
MAX_NAME = 48


def draw_segments(segments: Segments, contributions: Floats, title: str, projection: Projection = "pca") -> Figure:
    """Draw the dendrogram of the segments' centres (Ward), and customers in two dimensions.

    Parameters
    ----------
    segments : Segments
    contributions : array of float, shape (n, n_columns)
        Of customers, in an order that says nothing.
    title : str
    projection : {"pca", "t-sne"}
        Principal components keep distances as far as two dimensions can; t-SNE (perplexity 30) keeps neighbours, and neither
        distances nor sizes.

    Returns
    -------
    matplotlib.figure.Figure
        14 x 6 inches; the caller saves it.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 6), layout="constrained")
    tree, plane = figure.subplots(1, 2, width_ratios=(2, 3))
    figure.suptitle(title)
    colours = [f"C{at}" for at in range(len(segments.names))]
    _draw_tree(tree, segments, colours)
    points = contributions[:MAX_POINTS]
    nearest = Nearest(segments)
    members = np.array([nearest.of(row) for row in points], dtype=np.int64)
    flat, axes = _project(points, projection)
    # Largest first, so that small segments lie on top.
    for at in sorted(range(len(segments.names)), key=lambda at: -segments.shares[at]):
        own = members == at
        plane.scatter(flat[own, 0], flat[own, 1], s=14, alpha=0.7, color=colours[at], linewidths=0)
    plane.set(title="Customers by their reasons, in the colours of the names", xlabel=axes[0], ylabel=axes[1])
    plane.grid(alpha=0.3)
    return figure


def _draw_tree(axes: Axes, segments: Segments, colours: list[str]) -> None:
    from scipy.cluster.hierarchy import dendrogram, linkage

    axes.set(title="How far segments are apart (Ward)", xlabel="distance of centres, log-odds")
    if len(segments.names) == 1:
        axes.text(0.5, 0.5, f"one segment: {segments.names[0]}", ha="center", va="center", transform=axes.transAxes)
        axes.set_yticks([])
        return
    joined = linkage(np.array(segments.centres), method="ward")
    labels = [f"{_cut(name)} ({share:.1%})" for name, share in zip(segments.names, segments.shares, strict=True)]
    drawn = dendrogram(joined, labels=labels, orientation="left", ax=axes, color_threshold=0, above_threshold_color="0.4")
    for tick, at in zip(axes.get_yticklabels(), drawn["leaves"] or (), strict=True):
        tick.set_color(colours[at])
    axes.grid(alpha=0.3, axis="x")


def _project(points: Floats, projection: Projection) -> tuple[Floats, tuple[str, str]]:
    """Return customers in two dimensions, and what the axes are."""
    centred = points - points.mean(axis=0) if len(points) else points
    if projection == "t-sne" and len(points) > 3 and points.shape[1] > 1:
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(points) - 1) / 3)
        return TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(points), ("t-SNE 1", "t-SNE 2")
    # By singular values: exact, and the same each time but for the signs, which are made so that the largest part is positive.
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    flat, total = np.zeros((len(points), 2)), float((sizes**2).sum())
    for at in range(min(2, len(sizes))):
        sign = np.sign(directions[at, np.argmax(np.abs(directions[at]))]) or 1.0
        flat[:, at] = sign * (centred @ directions[at])
    parts = [float(size**2) / total if total else 0.0 for size in (*sizes[:2], 0.0, 0.0)]
    return flat, (f"principal component 1 ({parts[0]:.0%} of variance)", f"principal component 2 ({parts[1]:.0%})")


def _cut(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
