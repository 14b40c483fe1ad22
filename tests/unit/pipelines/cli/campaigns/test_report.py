"""What a person reads of a campaign's report, and the segments that are added to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import pipelines.planning
import pipelines.scoring
from churn.campaigns.by_segment import SegmentEffect
from churn.campaigns.effect import SCORE_STEPS, Effect, Interval
from churn.campaigns.report import CampaignReport
from churn.config.settings import Settings
from churn.errors import RegistryError, StoreError
from churn.store.contacts.campaign_counter import CampaignCounts
from churn.store.records import NO_LIMIT
from pipelines.cli.campaigns.report import add_segments, report_lines

EFFECT = Effect(1_900, 1_100, 150, 200, Interval(1_205.4, 990.6, 1_420.2), Interval(0.456, 0.4, 0.512), 5, 0.9, 1_000.0)
KNOWN = CampaignReport(
    "may", 2_000, 1_800, 1_200, 0, 0, 0, 0, 0, EFFECT, Interval(-1_500.6, -2_000.0, 3_000.0), 0.123, "EUR", "",
    segments_of="no prediction of its customers is stored",
)  # fmt: skip
LINES = [
    "campaign may",
    "  named by the model   2,000, of whom 1,800 were contacted",
    "  held out             1,200",
    "  left                 150 of 1,900; held out: 200 of 1,100",
    "  saved                1,205 [991, 1,420] customers (90% interval)",
    "  profit               -1,501 [-2,000, 3,000] EUR",
    "  acceptance           0.46 [0.40, 0.51] (params.yaml: profit.acceptance)",
    "  a contact then pays above a probability of 0.12",
    "  by segment           not known: no prediction of its customers is stored",
]


def test_what_is_known_is_said_and_what_there_is_none_of_is_not() -> None:
    assert list(report_lines(KNOWN)) == LINES


def test_what_is_not_known_is_left_out() -> None:
    bare = replace(KNOWN, effect=replace(EFFECT, acceptance=None), money=None, break_even=None)
    assert list(report_lines(bare)) == [*LINES[:5], LINES[8]]
    unknown = replace(KNOWN, effect=None, unknown="nobody was held out", name="")
    assert list(report_lines(unknown)) == [
        "campaign (no name)", *LINES[1:3], "what it brought is not known: nobody was held out", LINES[8],
    ]  # fmt: skip


def test_who_is_not_compared_is_counted() -> None:
    odd = replace(KNOWN, leaked=1_001, waiting=1_002, beyond=1_003, not_named=1_004, other_campaigns=1_005)
    assert list(report_lines(odd))[2:7] == [
        "  held out             1,200, of whom 1,001 were contacted all the same",
        "  no outcome yet       1,002 (or too young to count)",
        "  other scores         1,003 (not compared: the campaign contacted nobody with such a score)",
        "  contacted, not named 1,004 (not compared)",
        "  in another campaign  1,005: what it brought to those who are compared is in the figures below",
    ]


LARGE = SegmentEffect("long calls", 1_500, 1_100, 1_400, 1_300, 1_050, 1_010, 1_020, EFFECT)
SMALL = SegmentEffect("abroad", 30, 8, 20, 19, 7, 3, 2, None)


def segment_lines(*segments: SegmentEffect) -> list[str]:
    return list(report_lines(replace(KNOWN, segments=segments, segments_of="7")))[8:]


def test_each_segment_has_its_counts_and_its_effect_or_the_word_that_they_are_too_few() -> None:
    assert segment_lines(LARGE, SMALL) == [
        "  by segment           of version 7; fewer than 20 outcomes of a side are too few",
        "    long calls: 1,400 of 1,500 contacted, 1,100 held out",
        "      left 1,010 of 1,300; held out: 1,020 of 1,050; saved 1,205 [991, 1,420]",
        "    abroad: 20 of 30 contacted, 8 held out",
        "      left 3 of 19; held out: 2 of 7: too few to say what it brought",
    ]
    assert segment_lines(LARGE)[0] == "  by segment           of version 7"
    assert segment_lines(LARGE, LARGE, SMALL)[0] == (
        "  by segment           of version 7; these 2 intervals hold together in 95 %, so each is wider"
        "; fewer than 20 outcomes of a side are too few"
    )


class FakeStore:
    """A campaign's customers: their features, and the versions that named them, the one that named most first."""

    def __init__(self, *versions: str) -> None:
        self.versions = versions

    def campaign_versions(self, name: str) -> tuple[str, ...]:
        assert name == "may"
        return self.versions

    def count_campaign_parts(self, name: str, steps: int, part_of: Any, *, mature_until: datetime) -> dict[str, CampaignCounts]:
        assert (name, steps, mature_until) == ("may", SCORE_STEPS, NO_LIMIT)
        none = np.zeros((2, 0), np.int64)
        # Nothing is known of `b`; a customer may lack a column.
        return {part: CampaignCounts(named=named, contacted=0, held_out=0, leaked=0, waiting=0, not_named=0, elsewhere=0,
                                     beyond=0, treated=0, treated_stayed=0, customers=none, left=none, contacted_left=none)
                for part, named in zip(part_of([{"a": 1.0, "b": "x", "c": 5}, {"a": 2.0}]), (3, 4), strict=True)}  # fmt: skip


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Which version was loaded; and what to say of it."""
    asked: dict[str, Any] = {}

    def find(_settings: Settings, _contract: object, version: str) -> str:
        asked["version"] = version
        if "error" in asked:
            raise asked["error"]
        return version

    segmenter = SimpleNamespace(segments=SimpleNamespace(columns=["b", "a"]), name=lambda values: f"segment of {values}")
    monkeypatch.setattr(pipelines.scoring, "find_scorer", find)
    monkeypatch.setattr(pipelines.planning, "call_segmenter", lambda _scorer: asked.get("segmenter", segmenter))
    return asked


def segmented(store: FakeStore, home: Path) -> CampaignReport:
    return add_segments(replace(KNOWN, segments_of=""), store, Settings(home=home), NO_LIMIT)  # type: ignore[arg-type]


def test_customers_are_told_apart_by_the_version_that_named_most_of_them(loaded: dict[str, Any], tmp_path: Path) -> None:
    found = segmented(FakeStore("7", "3"), tmp_path)
    assert loaded["version"] == found.segments_of == "7"
    assert [(one.segment, one.named) for one in found.segments] == [
        ("segment of [None, 2.0]", 4),
        ("segment of ['x', 1.0]", 3),
    ]


def test_why_there_are_no_segments_is_said(loaded: dict[str, Any], tmp_path: Path) -> None:
    assert segmented(FakeStore(), tmp_path).segments_of == "no prediction of its customers is stored"
    assert "version" not in loaded, "nothing is loaded for nobody"
    loaded["segmenter"] = None
    assert segmented(FakeStore("7"), tmp_path).segments_of == "version 7 knows no segments"
    loaded["error"] = RegistryError("it is\naway")
    assert segmented(FakeStore("7"), tmp_path).segments_of == "version 7 cannot be loaded (it is away)"
    assert segmented(FakeStore("7"), tmp_path).segments == ()


def test_a_store_that_is_away_is_no_model_that_cannot_be_loaded(loaded: dict[str, Any], tmp_path: Path) -> None:
    loaded["error"] = StoreError("away")
    with pytest.raises(StoreError, match="away"):
        segmented(FakeStore("7"), tmp_path)
