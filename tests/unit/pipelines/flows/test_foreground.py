"""`run_here`, on a flow whose engine fails after the flow's function has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest
from prefect import Flow
from prefect.exceptions import PrefectHTTPStatusError
from sqlalchemy.exc import OperationalError

from churn.errors import ChurnError
from pipelines.flows.foreground import run_here


class FailingFlow:
    """As Prefect's flow is used by `run_here`: its engine calls the function, and then raises."""

    name = "works"
    on_completion_hooks: tuple[Callable[..., None], ...] = ()

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.fn: Callable[[], Any] = lambda: {"version": "3"}

    def __call__(self) -> None:
        self.fn()
        raise self._error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError("refused"), "Prefect's server does not answer: "),
        (ValueError("a result\nthat is none"), "Prefect could not note the end (ValueError: a result that is none): "),
    ],
)
def test_what_kept_prefect_from_noting_the_end_is_said(error: Exception, words: str) -> None:
    told: list[str] = []
    assert run_here(cast("Flow[..., Any]", FailingFlow(error)), told.append) == {"version": "3"}
    (said,) = told
    assert said.startswith(words)


def test_a_fault_before_the_flow_began_is_raised_as_it_is() -> None:
    class Broken(FailingFlow):
        def __call__(self) -> None:
            raise self._error

    with pytest.raises(ValueError, match="parameters"):
        run_here(cast("Flow[..., Any]", Broken(ValueError("parameters"))))
    with pytest.raises(ChurnError, match="does not answer, and works did not begin"):
        run_here(cast("Flow[..., Any]", Broken(httpx.ConnectError("refused"))))


def test_a_server_of_its_own_that_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unstarted(FailingFlow):
        def __call__(self) -> None:
            raise self._error

    monkeypatch.setenv("PREFECT_HOME", "/full/prefect")
    # As Prefect 3.8 says it.
    said = RuntimeError("Timed out while attempting to connect to ephemeral Prefect API server. Ephemeral server process exited")
    with pytest.raises(ChurnError, match=r"did not start, and works did not begin: is there room in /full/prefect, "):
        run_here(cast("Flow[..., Any]", Unstarted(said)))


def failed_request() -> Exception:
    request = httpx.Request("POST", "http://127.0.0.1:4200/api/flow_runs/")
    answer = httpx.Response(500, request=request, json={"exception_message": "Internal Server Error"})
    return PrefectHTTPStatusError.from_httpx_error(httpx.HTTPStatusError("500", request=request, response=answer))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (failed_request(), "Internal Server Error"),
        (OperationalError("INSERT", {}, Exception("database or disk is full")), "disk is full"),
    ],
)
def test_a_server_that_fails_before_the_flow_began_is_one_line(error: Exception, words: str) -> None:
    class Unstarted(FailingFlow):
        def __call__(self) -> None:
            raise self._error

    with pytest.raises(ChurnError, match="Prefect's server fails, and works did not begin: ") as caught:
        run_here(cast("Flow[..., Any]", Unstarted(error)))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
