"""`churn model segments` on a registry in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import churn.explain.segmenting
from churn.modeling.model_info import ModelInfo
from churn.segments.segments import Segments
from pipelines.cli.models import segments as module
from tests.unit.pipelines.cli.command import Churn, assert_one_line

SEGMENTS = Segments(
    columns=["minutes", "plan", "calls", "state"],
    names=["long calls", "the others"],
    centres=[[1.5, -0.25, 0.5, 0.1], [0.0, -2.0, 0.0, 0.0]],
    shares=[0.256, 0.744],
    stability=0.9,
)


class Registry:
    """One version, and its reference."""

    def __init__(self) -> None:
        self.segments: Segments | None = SEGMENTS
        self.asked: list[str] = []

    def load(self, version: str) -> Any:
        self.asked.append(version)
        info = ModelInfo(
            name="churn", version="3", trained_at=datetime(2026, 3, 1, tzinfo=UTC), data_digest="d", data_source="s", rows=10,
            contract="telecom", contract_digest="c", features=["minutes"], threshold=0.5, segments=self.segments,
        )  # fmt: skip
        return SimpleNamespace(info=info)

    def reference(self, version: str) -> pd.DataFrame:
        self.asked.append(f"reference of {version}")
        return pd.DataFrame({"minutes": [1.0]})


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry()
    monkeypatch.setattr(module, "open_registry", lambda: made)
    return made


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the picture is drawn of."""
    given: dict[str, Any] = {"found": SimpleNamespace(contributions=np.random.default_rng(1).normal(size=(40, 4)))}
    monkeypatch.setattr(churn.explain.segmenting, "explain_sample", lambda *_: given["found"])
    return given


def test_a_table_names_each_segment_with_its_three_strongest_contributions(churn: Churn, registry: Registry) -> None:
    said = churn("model", "segments")
    assert said.code == 0, said.err
    assert registry.asked == ["champion"]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.out.splitlines() if "│" in line]
    assert rows == [
        ["long calls", "25.6%", "+1.85", "minutes +1.50, calls +0.50, plan -0.25"],
        ["the others", "74.4%", "-2.00", "plan -2.00"],
    ]


def test_a_script_gets_all_of_it(churn: Churn, registry: Registry) -> None:
    said = churn("model", "segments", "3", "--json")
    assert (said.code, said.json) == (0, SEGMENTS.model_dump())
    assert registry.asked == ["3"]


def test_a_version_without_segments_says_so(churn: Churn, registry: Registry) -> None:
    registry.segments = None
    assert_one_line(churn("model", "segments"), 1, "version 3 knows no segments; the next training gives its version some")


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_a_picture_is_drawn_of_whom_it_was_trained_on(
    churn: Churn, registry: Registry, sample: dict[str, Any], tmp_path: Path, name: str, magic: bytes
) -> None:
    said = churn("model", "segments", "--picture", str(tmp_path / name))
    assert said.code == 0, said.err
    assert registry.asked == ["champion", "reference of 3"]
    content = (tmp_path / name).read_bytes()
    assert content.startswith(magic)
    assert "long calls" in said.out, "the table is there too"


def test_its_title_says_of_how_many_and_the_projection_is_as_asked(
    churn: Churn, registry: Registry, sample: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Any, ...]] = []

    def draw(*given: Any) -> Any:
        drawn.append(given)
        return SimpleNamespace(savefig=lambda path: path.write_text("drawn"))

    monkeypatch.setattr("churn.segments.pictures.draw_segments", draw)
    for projection in ((), ("--projection", "t-sne")):
        assert churn("model", "segments", "--picture", str(tmp_path / "a.png"), *projection).code == 0
    assert [one[2:] for one in drawn] == [
        ("Segments of version 3, 40 customers trained on", "pca"),
        ("Segments of version 3, 40 customers trained on", "t-sne"),
    ]
    assert drawn[0][0] == SEGMENTS
    assert drawn[0][1] is sample["found"].contributions


def test_what_cannot_be_drawn_is_one_line(churn: Churn, registry: Registry, sample: dict[str, Any], tmp_path: Path) -> None:
    odd = churn("model", "segments", "--picture", str(tmp_path / "a.gif"))
    assert_one_line(odd, 2, "--picture", "must end in .png, .svg or .pdf")
    assert registry.asked == ["champion"], "before anything is computed"
    away = churn("model", "segments", "--picture", str(tmp_path / "no such folder/a.png"))
    assert_one_line(away, 1, "cannot be written (No such file or directory)")
    sample["found"] = None
    assert_one_line(churn("model", "segments", "--picture", str(tmp_path / "a.png")), 1, "version 3 is not compiled")
