"""How large each segment is among customers: as the answers say one by one, of very many among some of them."""

from __future__ import annotations

import pandas as pd
import pytest

from churn.batch.model import Scorer
from churn.simulation.simulate import simulate
from monitoring import slicing
from monitoring.slicing import segment_shares
from pipelines.planning import call_segmenter
from tests.integration.files_to_score import CONTRACT, make_scorer


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return make_scorer(segments=True)


def test_they_are_the_shares_of_the_answers(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = call_segmenter(scorer)
    assert segmenter is not None
    frame = simulate(CONTRACT, 600, seed=1).features
    named = [
        segmenter.name(values) for values in zip(*(frame[name].tolist() for name in segmenter.segments.columns), strict=True)
    ]
    expected = {name: named.count(name) / 600 for name in segmenter.names}
    assert segment_shares(frame, segmenter) == pytest.approx(expected)
    assert min(expected.values()) > 0
    monkeypatch.setattr(slicing, "MAX_SEGMENTED", 250)
    some = named[::3]
    assert segment_shares(frame, segmenter) == pytest.approx({name: some.count(name) / 200 for name in segmenter.names})
    alike = frame.iloc[[0] * 5]
    assert sorted(segment_shares(alike, segmenter).values()) == [0.0, 1.0]


def test_without_segments_or_customers_there_are_none(scorer: Scorer) -> None:
    assert segment_shares(pd.DataFrame({"a": [1.0]}), None) == {}
    assert segment_shares(simulate(CONTRACT, 1, seed=1).features.iloc[:0], call_segmenter(scorer)) == {}
