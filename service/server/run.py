"""Run the service with uvicorn: address, workers, signals. `churn serve` calls `run`.

A worker imports this module before it can tell its parent that it is alive. What takes seconds to import is therefore imported
in the functions that need it: on a busy machine the parent would otherwise kill slow workers again and again.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.supervisors import Multiprocess

from churn.config.settings import Settings
from churn.errors import ChurnError, InputError, StoreError
from service.http.loopback import is_loopback
from service.memory import keep_little_memory
from service.observability.logs import log_config
from service.server.gc_tuning import freeze_startup_objects
from service.server.slow_clients import Connection

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from service.state import ServiceState

# How long the service goes on answering after it has said that it is not ready, so that a load balancer can react.
DRAIN_SECONDS = 1.0
FINISH_SECONDS = 30
# A worker that does not answer its parent for so long is replaced.
HEALTHCHECK_SECONDS = 30
# Each connection is an open file. Below so many, clients of a busy day may be cut off; more than these are of no use.
FEW_OPEN_FILES, MAX_OPEN_FILES = 4_096, 65_536
logger = logging.getLogger(__name__)


def run(settings: Settings, workers: int = 1) -> None:
    """Serve until told to stop (SIGINT or SIGTERM); running requests are finished.

    Parameters
    ----------
    settings : Settings
    workers : int
        Processes, at least 1. They share the port, the store and the metrics; each follows the champion by itself.

    Raises
    ------
    InputError
        If the settings are malformed, or ask for an open address without API keys.
    ChurnError
        If the address cannot be bound.
    """
    from churn.store.store import Store

    check_settings(settings, workers)
    try:
        # Migrate once, before the workers start.
        Store.open(settings.store_url, settings.store_timeout_seconds).close()
    except (StoreError, OSError) as error:
        logger.warning("starting without the store: %s", error)
    config = uvicorn.Config(
        partial(served_app, settings),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=workers,
        access_log=False,
        server_header=False,
        # Nobody may claim to come from another address.
        proxy_headers=False,
        ws="none",
        http=Connection,
        timeout_graceful_shutdown=FINISH_SECONDS,
        timeout_worker_healthcheck=HEALTHCHECK_SECONDS,
        log_config=log_config(settings.log_format, settings.log_level),
    )
    allow_many_connections()
    try:
        if workers == 1:
            uvicorn.Server(config).run()
        else:
            with shared_metrics(settings):
                Multiprocess(config, sockets=[config.bind_socket()]).run()
    except KeyboardInterrupt:
        return
    except SystemExit as stop:
        # uvicorn has logged why. The exit codes are those of `churn`.
        if stop.code:
            raise ChurnError(f"the service could not start on {settings.host}:{settings.port}") from stop


def allow_many_connections() -> None:
    """Raise how many files may be open as far as the system allows it; warn where that is little.

    The usual limit is 1,024. Who connects beyond it is cut off by the event loop, and nothing is logged.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    if soft != resource.RLIM_INFINITY and soft < FEW_OPEN_FILES:
        logger.warning(
            "only %d files may be open, and each connection is one: more clients at once are cut off without a word; "
            "raise the hard limit (ulimit -Hn, LimitNOFILE=, --ulimit nofile=)",
            soft,
        )


def check_settings(settings: Settings, workers: int = 1) -> None:
    """Refuse to start with malformed keys or contract, without workers, or on an open address without keys.

    Parameters
    ----------
    settings : Settings
    workers : int

    Raises
    ------
    InputError
    """
    from churn.contract import load_contract
    from service.api_keys import parse_keys

    if workers < 1:
        raise InputError("--workers must be at least 1")
    load_contract(settings.contract)
    if not parse_keys(settings.api_keys.get_secret_value()) and not is_loopback(settings.host):
        raise InputError(
            f"CHURN_HOST={settings.host} is open to others, but there are no keys: set CHURN_API_KEYS, or bind 127.0.0.1"
        )


def served_app(settings: Settings) -> ASGIApp:
    """Return the ASGI application of one worker. On SIGTERM it stops being ready before it stops."""
    keep_little_memory()
    from service.app import create_app

    def on_start(state: ServiceState) -> None:
        load_columnar_formats()
        freeze_startup_objects()
        _drain_on_sigterm(state)

    return create_app(settings, on_start=on_start)


def load_columnar_formats() -> None:
    """Import what reads Arrow and Parquet, so that nobody's first body pays for it.

    pyarrow takes 80 ms of processor time, in which nobody else is answered, and 43 MB: 12 of its own, and 31 of its library's
    file, which all workers of a machine share. Its memory comes from the C library, which gives large blocks back at once
    (`service.memory`): its own allocator takes 20 MB more for a batch of a hundred thousand.
    """
    import pyarrow as pa

    import service.formats.arrow_ipc
    import service.formats.parquet  # noqa: F401

    pa.set_memory_pool(pa.system_memory_pool())


def _drain_on_sigterm(state: ServiceState) -> None:
    stop = signal.getsignal(signal.SIGTERM)  # uvicorn's, which closes the listening socket at once

    def drain(number: int, frame: FrameType | None) -> None:
        if state.draining or not callable(stop):
            return
        state.draining = True
        timer = threading.Timer(DRAIN_SECONDS, stop, (number, frame))
        timer.daemon = True
        timer.start()

    signal.signal(signal.SIGTERM, drain)


@contextmanager
def shared_metrics(settings: Settings) -> Iterator[None]:
    """Let the workers that start inside this context share their metrics through a new folder."""
    from service.observability.metrics import SHARED_FOLDER

    settings.home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="metrics-", dir=settings.home) as folder:
        os.environ[SHARED_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[SHARED_FOLDER]
