"""A language model answers in a process of its own: whatever becomes of it, there is a note or one line that says why not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.notes.language_model import MAX_TOKENS, NoNote, rewrite

MODEL = Path("/models/small.gguf")


def answering(monkeypatch: pytest.MonkeyPatch, stdout: str, code: int = 0) -> list[Any]:
    asked: list[Any] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        asked.append((command, options))
        return subprocess.CompletedProcess(command, code, stdout, "")

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_it_is_told_the_facts_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, '{"text": "five lines"}')
    assert rewrite(("one", "two"), MODEL, 7.0) == "five lines"
    ((command, options),) = asked
    assert command == [sys.executable, "-m", "pipelines.notes.llama_process", str(MODEL)]
    assert json.loads(options["input"]) == {"facts": ["one", "two"], "max_tokens": MAX_TOKENS}
    assert options["timeout"] == 7.0


@pytest.mark.parametrize(
    ("stdout", "code", "said"),
    [
        ('{"text": "half a no', 0, "small.gguf: no answer that can be read"),
        ("[]", 0, "small.gguf: no answer that can be read"),
        ('{"text": 5}', 0, "small.gguf: no answer that can be read"),
        ("", -11, r"small.gguf ended the process that asked it \(-11\)"),
        ('{"text": "fine"}', 1, r"small.gguf ended the process that asked it \(1\)"),
        ('{"error": "the extra is not installed"}', 0, "the extra is not installed"),
    ],
)
def test_no_note_says_why(monkeypatch: pytest.MonkeyPatch, stdout: str, code: int, said: str) -> None:
    answering(monkeypatch, stdout, code)
    with pytest.raises(NoNote, match=said):
        rewrite(("one",), MODEL, 1.0)


def test_one_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(NoNote, match=r"wrote nothing within 2.5 s \(CHURN_LLM_TIMEOUT_SECONDS\)"):
        rewrite(("one",), MODEL, 2.5)
