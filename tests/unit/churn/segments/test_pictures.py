from __future__ import annotations

import io

import numpy as np
import pytest

from churn.segments.find import find_segments
from churn.segments.pictures import Projection, draw_segments
from churn.segments.segments import Segments
from tests.unit.churn.segments.groups import CONTRACT, customers


@pytest.mark.parametrize("projection", ["pca", "t-sne"])
def test_every_segment_is_in_the_tree_and_every_customer_in_the_plane(projection: Projection) -> None:
    frame, reasons, _ = customers(300)
    segments = find_segments(frame, reasons, CONTRACT, seed=1)
    assert len(segments.names) > 1
    figure = draw_segments(segments, reasons, "Title", projection)
    tree, plane = figure.axes
    shown = {label.get_text().rpartition(" (")[0] for label in tree.get_yticklabels()}
    assert shown == set(segments.names)
    assert sum(len(points.get_offsets()) for points in plane.collections) == 300


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_one_segment_and_hardly_any_customers_are_drawn(rows: int) -> None:
    one = Segments(columns=["a"], names=["everybody"], centres=[[0.0]], shares=[1.0])
    for projection in ("pca", "t-sne"):
        figure = draw_segments(one, np.ones((rows, 1)), "Title", projection)
        figure.savefig(io.BytesIO())
        assert "one segment: everybody" in [text.get_text() for text in figure.axes[0].texts]
