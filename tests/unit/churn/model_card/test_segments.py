"""The section on segments: each with its share, its churn rate and its strongest reasons."""

from __future__ import annotations

from typing import Any

from churn.model_card.quality import UNKNOWN
from churn.model_card.segments import segments_section
from churn.modeling.model_info import ModelInfo
from churn.segments.segments import SLICE, Segments
from tests.unit.service.fakes import make_info


def info(**segments: Any) -> ModelInfo:
    return make_info("1").model_copy(update={"segments": Segments(**segments) if segments else None})


def test_strongest_reasons_come_first_and_weak_ones_are_left_out() -> None:
    known = info(
        columns=["a", "b", "c", "d"],
        names=["high a", "quiet"],
        centres=[[1.0, -2.0, 0.5, 0.25], [0.1, 0.0999, -0.05, 0.0]],
        shares=[0.125, 0.875],
    )
    evaluation: Any = {"slices": [{"column": SLICE, "level": "high a", "churn_rate": 0.5}, {"column": "x", "level": "quiet"}]}
    section = segments_section(known, evaluation)
    [first, second] = [row for row in section.splitlines() if row.startswith(("| high a", "| quiet"))]
    assert first.split(" | ")[1:3] == ["12.5%", "0.5000"]
    assert "`b` -2.00, `a` +1.00, `c` +0.50" in first
    assert "`d`" not in first
    assert "`a` +0.10" in second
    assert "`b`" not in second
    assert "none" not in second
    assert "87.5%" in segments_section(known, None)


def test_without_groups_that_is_said() -> None:
    assert segments_section(info(), None) == UNKNOWN
    alone = info(columns=["a"], names=["everybody"], centres=[[0.0]], shares=[1.0])
    assert "there is one segment, everybody" in segments_section(alone, None)
    weak = info(columns=["a"], names=["x", "y"], centres=[[0.0], [-0.05]], shares=[0.5, 0.5])
    assert segments_section(weak, None).count("none |") == 2
