"""The loop through the containers goes on to the next customers when the gate rejects what they led to."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from churn.errors import ChurnError
from tools.containers import loop

REJECTED = {"model_version": "2", "action": "rejected", "reason": "not better beyond chance"}


class FakeStream:
    """Requests whose answers come from the versions in service."""

    versions: ClassVar[set[str]] = set()
    failed: ClassVar[list[str]] = []
    sent = 7

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> FakeStream:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class FakeStack:
    """A stack whose history is given."""

    def __init__(self, *history: dict[str, str]) -> None:
        self.history = history

    def run_json(self, *words: str) -> Any:
        assert words == ("flows", "churn", "model", "history", "--json")
        return self.history


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "Stream", FakeStream)
    monkeypatch.setattr(loop, "HISTORY_SECONDS", -1.0)
    monkeypatch.setattr(FakeStream, "versions", {"1"})


def is_replaced(stack: FakeStack, rejected: set[str], said: list[str]) -> bool:
    found = loop._is_replaced(stack, None, None, None, "1", rejected, said.append)  # type: ignore[arg-type]
    return found


def test_a_new_version_that_answers_has_replaced_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeStream, "versions", {"1", "2"})
    said: list[str] = []
    assert is_replaced(FakeStack(), set(), said)
    assert said[0].startswith("retrained and promoted: version 2 answers")


def test_a_version_that_the_gate_rejects_is_told_and_waited_for_no_longer() -> None:
    rejected: set[str] = set()
    said: list[str] = []
    assert not is_replaced(FakeStack(REJECTED), rejected, said)
    assert (rejected, said) == ({"2"}, ["version 2 was rejected: not better beyond chance"])


def test_what_was_rejected_before_is_no_verdict_on_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "TIMEOUT_SECONDS", 0.0)
    with pytest.raises(ChurnError, match="no other model than 1 was in service"):
        is_replaced(FakeStack(REJECTED, {"model_version": "1", "action": "promoted", "reason": ""}), {"2"}, [])


def test_a_request_that_failed_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeStream, "failed", ["503"])
    with pytest.raises(ChurnError, match="1 of 7 requests failed while the model changed: 503"):
        is_replaced(FakeStack(REJECTED), set(), [])
