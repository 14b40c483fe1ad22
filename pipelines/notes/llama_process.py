"""`python -m pipelines.notes.llama_process MODEL.gguf`: facts on stdin, a note on stdout. The only module that imports xllamacpp.

Its prompt is read by models of any size: short, and with one example's worth of instructions.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

CONTEXT_TOKENS = 2048
INSTRUCTIONS = (
    "You write notes for people who call customers. Put the five facts into five short lines of plain English, in the same "
    "order. Keep every number as it is. Add no number, no name and no fact. Write nothing but the five lines."
)


def main() -> None:
    """Write `{"text": …}`, or `{"error": …}` if there is none."""
    asked = json.loads(sys.stdin.read())
    # What llama.cpp itself says on stdout would be read as the answer.
    answer = os.dup(1)
    os.dup2(2, 1)
    found = _ask(Path(sys.argv[1]), asked["facts"], asked["max_tokens"])
    os.write(answer, json.dumps(found).encode())
    # Not waiting for llama.cpp's threads.
    os._exit(0)


def _ask(model: Path, facts: list[str], max_tokens: int) -> dict[str, str]:
    try:
        from xllamacpp import CommonParams, Server
    except ImportError:
        return {"error": "the extra `notes` is not installed; in the checkout: pip install --editable '.[notes]'"}
    params: Any = CommonParams()
    params.model.path = str(model)
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.warmup = False
    # It opens a port of its own on loopback, which nobody else may use.
    params.api_keys, params.ui, params.offline = [secrets.token_hex()], False, True
    messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": "\n".join(facts)}]
    try:
        server: Any = Server(params)
        said = server.handle_chat_completions({"messages": messages, "max_tokens": max_tokens, "temperature": 0, "seed": 1})
        return {"text": said["choices"][0]["message"]["content"]}
    # llama.cpp's errors are RuntimeErrors; an answer of another form is none.
    except (RuntimeError, LookupError, TypeError):
        return {"error": f"llama.cpp gets no answer from {model.name}; is it a GGUF file of a model that chats?"}


if __name__ == "__main__":
    main()
