from __future__ import annotations

import json
import logging
import sys

import httpx2
import pytest

from service.observability.logs import JsonLines, TextLines, log_config
from tests.unit.service.fakes import FakeStore

pytestmark = pytest.mark.anyio


async def test_a_line_of_the_log_names_its_request_and_keeps_tracebacks(client: httpx2.AsyncClient, store: FakeStore) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        record = logging.getLogger("service").makeRecord("service", 40, "f", 1, "it %s", ("failed",), sys.exc_info())
    line = json.loads(JsonLines().format(record))
    assert (line["message"], line["level"], line["logger"]) == ("it failed", "error", "service")
    assert "ValueError: broken" in line["traceback"]
    assert "\n" not in JsonLines().format(record)


def test_on_a_terminal_a_line_is_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    config = log_config("auto", "warning")
    assert list(config["formatters"]) == ["text"]
    assert config["loggers"]["service"]["level"] == "WARNING"
    record = logging.makeLogRecord(
        {"msg": "it %s", "args": ("failed",), "levelname": "ERROR", "levelno": 40, "route": "/predict"}
    )
    assert TextLines("%(levelprefix)s %(message)s", use_colors=False).format(record) == "ERROR:    it failed  route=/predict"
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert list(log_config("auto")["formatters"]) == ["json"]
