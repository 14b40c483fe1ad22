"""What is printed: texts of files and registries move no cursor, and JSON is one document."""

from __future__ import annotations

import json
import unicodedata
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from pipelines import console


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    text = StringIO()
    monkeypatch.setattr(console, "errors", Console(file=text, highlight=False, soft_wrap=True, width=40))
    return text


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\r", "\x07", "\u202e", "\x9b31m", "\x00"])
def test_no_text_moves_the_cursor_or_turns_the_reading_around(errors: StringIO, hostile: str) -> None:
    console.warn(f"before{hostile}after")
    console.fail(f"before{hostile}after")
    shown = errors.getvalue()
    assert "before" in shown
    assert "after" in shown
    assert [c for c in shown if c != "\n" and unicodedata.category(c).startswith("C")] == []


def test_brackets_are_text_and_each_message_is_one_line_however_long(errors: StringIO) -> None:
    console.warn("[red]a[/red]\nb\u2028 " + "long " * 20)
    assert errors.getvalue() == "[red]a[/red]\\nb\\u2028 " + "long " * 20 + "\n"


def test_details_are_lines_below_the_message(errors: StringIO) -> None:
    console.fail("of a name\nin two lines", "one\x1b[2J\ntwo")
    assert errors.getvalue() == "churn: of a name\\nin two lines\none\\x1b[2J\ntwo\n"


def test_a_failure_says_whose_it_is(errors: StringIO) -> None:
    console.fail("no such file")
    assert errors.getvalue() == "churn: no such file\n"


def test_json_is_one_document_with_numbers_of_numpy(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"a": np.float64(0.5), "b": np.arange(2), "c": console})
    said = capsys.readouterr().out
    assert said.endswith("}\n")
    assert json.loads(said) == {"a": 0.5, "b": [0, 1], "c": str(console)}
