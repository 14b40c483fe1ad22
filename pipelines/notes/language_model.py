"""Ask a local language model, in a process of its own: what llama.cpp does with a file, it does not do to us."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from churn.errors import ChurnError

MAX_TOKENS = 320


class NoNote(ChurnError):
    """A language model gave no answer."""


def rewrite(facts: Sequence[str], model: Path, timeout_seconds: float) -> str:
    """Let a language model put facts into its own words.

    Parameters
    ----------
    facts : sequence of str
        Lines. Nothing else is told: no customer's id, and nothing of any other customer.
    model : pathlib.Path
        A GGUF file.
    timeout_seconds : float
        For loading and writing together.

    Returns
    -------
    str

    Raises
    ------
    NoNote
        If the extra `notes` is not installed, the file is no model, or the time is over.
    """
    command = [sys.executable, "-m", "pipelines.notes.llama_process", str(model)]
    asked = json.dumps({"facts": list(facts), "max_tokens": MAX_TOKENS})
    try:
        done = subprocess.run(  # noqa: S603 -- our own module, and no shell
            command, input=asked, capture_output=True, text=True, errors="replace", timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise NoNote(f"{model.name} wrote nothing within {timeout_seconds:g} s (CHURN_LLM_TIMEOUT_SECONDS)") from None
    if done.returncode:
        raise NoNote(f"{model.name} ended the process that asked it ({done.returncode})")
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = None
    match answer:
        case {"text": str(text)}:
            return text
        case {"error": str(why)}:
            raise NoNote(why)
    raise NoNote(f"{model.name}: no answer that can be read")
