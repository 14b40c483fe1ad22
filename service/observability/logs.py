"""Logs, uvicorn's included: one JSON object a line for machines, or text for a person at a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from uvicorn.logging import DefaultFormatter

from service.request_context import CURRENT

# The attributes of every record; any other was passed as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, logger, message, the `extra` fields, and the request that it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= dict(_request())
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD and value is not None}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class TextLines(DefaultFormatter):
    """For people: level, message, and further fields as name=value."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- logging's name
        """Return a record as one line. Control characters of the caller's are escaped."""
        fields = dict(_request())
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD and value is not None}
        text = " ".join(f"{name}={value}" for name, value in fields.items())
        seen = copy(record)
        seen.message = _visible(record.message)
        return super().formatMessage(seen) + (f"  {_visible(text)}" if text else "")


def _visible(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _request() -> Iterator[tuple[str, str]]:
    """Yield the id of the current request, its trace, and the version of the model that answers it."""
    request_context = CURRENT.get()
    if request_context is not None:
        yield "request_id", request_context.request_id
        if request_context.trace_id:
            yield "trace_id", request_context.trace_id
        if request_context.model_version:
            yield "model_version", request_context.model_version


def log_config(form: Literal["auto", "json", "text"], level: str = "info") -> dict[str, Any]:
    """Return the logging configuration of a worker, uvicorn included.

    Parameters
    ----------
    form : {"auto", "json", "text"}
        "auto": text at a terminal, else JSON.
    level : str
        The lowest level that is logged.

    Returns
    -------
    dict
        For `logging.config.dictConfig`.
    """
    if form == "auto":
        form = "text" if sys.stderr.isatty() else "json"
    formatters = {
        "json": {"()": "service.observability.logs.JsonLines"},
        "text": {"()": "service.observability.logs.TextLines", "fmt": "%(levelprefix)s %(message)s", "use_colors": None},
    }
    logger_config = {"handlers": ["stderr"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {form: formatters[form]},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": form, "stream": "ext://sys.stderr"}},
        "loggers": dict.fromkeys(("churn", "service", "uvicorn"), logger_config),
    }
