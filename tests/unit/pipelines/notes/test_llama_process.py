"""The process of a language model: one answer on stdout whatever the model does, and no port that others may use."""

from __future__ import annotations

import io
import json
import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.notes.llama_process import main

FOUR = 4


class Llama:
    """Stands in for xllamacpp; `said` is its answer, or what it raises."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, said: Any, *, installed: bool = True) -> None:
        self.params = SimpleNamespace(model=SimpleNamespace())
        self.said, self.asked = said, list[Any]()
        module = SimpleNamespace(CommonParams=lambda: self.params, Server=self._serve)
        monkeypatch.setitem(sys.modules, "xllamacpp", module if installed else None)
        self.written: list[tuple[int, bytes]] = []
        self.moved: list[tuple[int, int]] = []
        self.ended: list[int] = []
        monkeypatch.setattr(sys, "argv", ["llama_process", "/models/small.gguf"])
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"facts": ["one", "two"], "max_tokens": 9})))
        monkeypatch.setattr(os, "dup", lambda descriptor: descriptor + FOUR)
        monkeypatch.setattr(os, "dup2", lambda source, target: self.moved.append((source, target)))
        monkeypatch.setattr(os, "write", lambda descriptor, data: self.written.append((descriptor, data)))
        monkeypatch.setattr(os, "_exit", self.ended.append)
        main()

    def _serve(self, params: Any) -> Any:
        assert params is self.params
        return SimpleNamespace(handle_chat_completions=self._answer)

    def _answer(self, request: Any) -> Any:
        self.asked.append(request)
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def test_the_answer_is_what_the_model_wrote_and_nothing_that_it_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    llama = Llama(monkeypatch, {"choices": [{"message": {"content": "five lines"}}]})
    [(descriptor, data)] = llama.written
    assert (descriptor, json.loads(data)) == (1 + FOUR, {"text": "five lines"})
    assert (llama.moved, llama.ended) == ([(2, 1)], [0])
    params = llama.params
    assert (params.model.path, params.n_ctx, params.n_parallel, params.warmup) == ("/models/small.gguf", 2048, 1, False)
    assert (params.ui, params.offline) == (False, True)
    [key] = params.api_keys
    assert len(key) >= 32
    [asked] = llama.asked
    assert (asked["max_tokens"], asked["temperature"], asked["seed"]) == (9, 0, 1)
    assert [one["role"] for one in asked["messages"]] == ["system", "user"]
    assert asked["messages"][1]["content"] == "one\ntwo"


@pytest.mark.parametrize("said", [RuntimeError("no such file"), {"choices": []}, {"choices": None}])
def test_a_model_that_gives_no_answer_is_named(monkeypatch: pytest.MonkeyPatch, said: Any) -> None:
    [(_, data)] = Llama(monkeypatch, said).written
    assert json.loads(data) == {"error": "llama.cpp gets no answer from small.gguf; is it a GGUF file of a model that chats?"}


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    [(_, data)] = Llama(monkeypatch, None, installed=False).written
    assert json.loads(data) == {"error": "the extra `notes` is not installed; in the checkout: pip install --editable '.[notes]'"}
