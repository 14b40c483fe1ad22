from __future__ import annotations

import httpx
import pytest

from pipelines.flows.prefect_api import is_unreachable


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (httpx.ConnectError("refused"), True),
        (ConnectionRefusedError(), True),
        (BaseExceptionGroup("many", [ExceptionGroup("more", [RuntimeError("Service exceeded error threshold.")])]), True),
        (RuntimeError("Failed to reach API at http://127.0.0.1:4200/api"), True),
        (RuntimeError("dictionary changed size during iteration"), False),
        (BaseExceptionGroup("many", [httpx.ConnectError("refused"), ValueError("a bug")]), False),
        (BaseExceptionGroup("many", [KeyboardInterrupt()]), False),
    ],
)
def test_only_a_server_that_does_not_answer_is_waited_for(error, away):
    assert is_unreachable(error) is away
