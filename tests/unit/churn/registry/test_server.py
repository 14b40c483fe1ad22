"""What MLflow would start a second process for is done in the first."""

from __future__ import annotations

import os

import pytest
import uvicorn.main

from churn.registry.server import serve_here


def test_uvicorn_gets_mlflows_options_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[str], str]] = []
    monkeypatch.setenv("CHURN_TEST_SERVER", "before")
    monkeypatch.setattr(uvicorn.main, "main", lambda options: asked.append((options, os.environ["CHURN_TEST_SERVER"])))
    with pytest.raises(SystemExit) as ended:
        serve_here(
            ["python", "-m", "uvicorn", "--port", "1", "app"], extra_env={"CHURN_TEST_SERVER": "told"}, capture_output=False
        )
    assert (ended.value.code, asked) == (0, [(["--port", "1", "app"], "told")])


def test_another_server_is_not_taken_for_uvicorn() -> None:
    with pytest.raises(ValueError, match="would start gunicorn"):
        serve_here(["python", "-m", "gunicorn"], extra_env={})
