"""A command of ours looks for cycles less often than Python does by itself."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from churn.gc_tuning import YOUNG_OBJECTS, collect_seldom, run_module
from tests.unit.pipelines.cli.command import Churn
from tests.unit.pipelines.cli.conftest import churn as churn  # noqa: PLC0414 -- a fixture


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*thresholds)


def test_it_is_still_collected_but_seldom() -> None:
    collect_seldom()
    assert gc.isenabled()
    assert gc.get_threshold()[0] == YOUNG_OBJECTS > 10 * 700


def test_every_command_tunes_the_garbage_collector(churn: Churn) -> None:
    assert churn("--version").code == 0
    assert gc.get_threshold()[0] == YOUNG_OBJECTS


def test_another_program_runs_as_by_itself_with_it_tuned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "somebody_elses").mkdir()
    (tmp_path / "somebody_elses" / "__main__.py").write_text(
        "import gc, sys; print(__name__, *sys.argv[1:], gc.get_threshold()[0])"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    run_module(["somebody_elses", "server", "--port=1"])
    assert capsys.readouterr().out.split() == ["__main__", "server", "--port=1", str(YOUNG_OBJECTS)]
