"""The bar of `churn score`: what it counts, where it is drawn, and that the terminal is given back."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from churn.batch.answer_file import Done
from pipelines.cli import score_progress
from pipelines.cli.score_progress import ScoreProgress

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Stands for stderr on a terminal."""
    written = io.StringIO()
    monkeypatch.setattr(score_progress, "errors", Console(file=written, force_terminal=True, width=100))
    return written


def test_the_bar_grows_with_customers_where_their_number_is_known_and_else_with_parts() -> None:
    kept = [Done("a", 30, 0, 0)]
    for rows, expected in ((100, (100, 70, "customers")), (None, (3, 2, "parts"))):
        plan: Any = SimpleNamespace(rows=rows, parts=[1, 2, 3])
        with ScoreProgress(quiet=True) as progress:
            progress.planned(plan, kept)
            progress.finished(Done("b", 40, 0, 0))
            (task,) = progress._shown.tasks
            assert (task.total, task.completed, task.fields["unit"]) == expected
            assert progress._shown.disable


def test_what_is_written_to_the_store_has_a_bar_of_its_own_of_those_that_were_answered() -> None:
    plan: Any = SimpleNamespace(rows=None, parts=[1])
    with ScoreProgress(quiet=True) as progress:
        progress.planned(plan, [])
        progress.finished(Done("a", 40, 10, 0))  # ten were refused
        progress.logged(12)
        progress.logged(13)
        _, logged = progress._shown.tasks
    assert (logged.total, logged.completed, logged.fields["unit"]) == (30, 25, "logged")


def test_on_a_terminal_it_is_drawn_and_gone_with_its_block(terminal: io.StringIO) -> None:
    with ScoreProgress(quiet=False) as progress:
        assert terminal.getvalue().startswith(HIDE_CURSOR)
        progress.planned(SimpleNamespace(rows=None, parts=[1]), [])  # type: ignore[arg-type]
    assert terminal.getvalue().count(SHOW_CURSOR) == 1
    assert "scoring" in terminal.getvalue()


def test_it_is_not_drawn_where_quiet_was_asked_for_or_nobody_looks(
    terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScoreProgress(quiet=True):
        pass
    monkeypatch.setattr(score_progress, "errors", Console(file=terminal, force_terminal=False))
    with ScoreProgress(quiet=False):
        pass
    assert terminal.getvalue() == ""
