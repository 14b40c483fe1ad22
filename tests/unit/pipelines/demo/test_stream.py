"""The traffic that runs beside the demo: whatever the service answers, it goes on, and everything is counted."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd
import pytest

from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.errors import ChurnError
from pipelines.demo import stream
from pipelines.demo.stream import Stream


class FakeClient:
    """Answers two versions in turn, and every third time not at all; opens `enough` after nine requests."""

    def __init__(self) -> None:
        self.enough = threading.Event()
        self.asked: list[dict[str, Any]] = []

    def predict_one(self, customer: dict[str, Any]) -> dict[str, Any]:
        assert threading.current_thread().daemon, "a request that hangs must not keep the demo from ending"
        self.asked.append(customer)
        if len(self.asked) >= 9:
            self.enough.set()
        if len(self.asked) % 3 == 0:
            raise ChurnError("the service does not answer")
        return {"model_version": len(self.asked) % 3}


def test_it_sends_until_its_block_ends_and_counts_answers_and_failures(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PAUSE", 0.0)
    customers = Dataset(pd.DataFrame({"total_day_minutes": [1.0, 2.0]}), pd.Series([0, 1]), source="two")
    client = FakeClient()
    with Stream(client, customers, contract) as running:  # type: ignore[arg-type]
        assert client.enough.wait(20)
    sent = running.sent
    assert sent == len(client.asked) >= 9
    assert running.versions == {"1", "2"}
    assert running.failed == ["the service does not answer"] * (sent // 3)
    # The two customers again and again.
    assert client.asked[0] != client.asked[1]
    assert client.asked[0] == client.asked[2]
    assert running.sent == sent
