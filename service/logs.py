"""Logs as one JSON object a line, for machines to read: uvicorn's and ours alike. Or as text, for a person at a terminal."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from service.visit import CURRENT

# What every record has; the rest was given with `extra`.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, logger, message, what was given with it, and the request it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """Spell a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (visit := CURRENT.get()) is not None:
            line["request_id"] = visit.request_id
            if visit.trace_id:
                line["trace_id"] = visit.trace_id
            if visit.model_version:
                line["model_version"] = visit.model_version
        line |= {name: value for name, value in vars(record).items() if name not in _USUAL and value is not None}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def log_config(form: Literal["json", "text"]) -> dict[str, Any]:
    """Give the logging configuration of a worker, for uvicorn and ourselves."""
    formatters = {
        "json": {"()": "service.logs.JsonLines"},
        "text": {"()": "uvicorn.logging.DefaultFormatter", "fmt": "%(levelprefix)s %(message)s", "use_colors": None},
    }
    ours = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {form: formatters[form]},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": form, "stream": "ext://sys.stderr"}},
        "loggers": dict.fromkeys(("churn", "service", "uvicorn"), ours),
    }
