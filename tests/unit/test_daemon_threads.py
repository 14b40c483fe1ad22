"""No thread of ours keeps a process from ending: what hangs in a request or on a disk must not make Ctrl-C hang too."""

from __future__ import annotations

import ast

from tests.checkout import CHECKOUT


def test_every_thread_is_a_daemon() -> None:
    found = []
    for package in ("churn", "service", "monitoring", "pipelines"):
        for path in (CHECKOUT / package).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            if "Thread(" in source:
                calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
                found += [(path, call) for call in calls if ast.unparse(call.func).rpartition(".")[2] == "Thread"]
    assert len(found) > 5, "they are not found any more"
    refused = [
        f"{path.relative_to(CHECKOUT)}:{call.lineno}"
        for path, call in found
        if not any(word.arg == "daemon" and ast.unparse(word.value) == "True" for word in call.keywords)
    ]
    assert not refused
