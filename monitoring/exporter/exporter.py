"""What the monitor found, for Prometheus. Stateless: each scrape reads the store, so that a restart loses and doubles nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from churn.config.settings import Settings
from churn.errors import StoreError
from churn.store.store import Store
from monitoring.exporter.metrics import exported
from monitoring.exporter.runs import collect_runs
from monitoring.exporter.totals import collect_totals


class MonitorCollector(Collector):
    """Reads the store at each scrape. If the store is away, the answer is `churn_monitor_up 0` and nothing else.

    Parameters
    ----------
    open_store : callable
        Connects to the store; called at the first scrape, and again until it succeeds.
    settings : Settings, optional
        Without them two limits are not exported: how often the monitor is due, and which Brier score pages.
    """

    def __init__(self, open_store: Callable[[], Store], settings: Settings | None = None) -> None:
        self._open_store = open_store
        self._settings = settings
        self._store: Store | None = None
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family of the monitor."""
        up = 0
        families: list[Metric] = []
        try:
            store = self._connected()
            page_brier = self._settings.page_brier if self._settings else None
            families = [*collect_runs(store, page_brier), *collect_totals(store)]
            up = 1
        except (StoreError, SQLAlchemyError, OSError):
            pass
        yield exported("churn_monitor_up", up)
        if self._settings is not None:
            yield exported("churn_monitor_interval_seconds", self._settings.monitor_interval_seconds)
        yield from families

    def describe(self) -> list[Metric]:
        """Return nothing: registering must not ask the store."""
        return []

    def close(self) -> None:
        """Close the connections to the store."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def _connected(self) -> Store:
        with self._lock:
            if self._store is None:
                self._store = self._open_store()
            return self._store


def serve_exporter(settings: Settings, *, stop: threading.Event | None = None) -> None:
    """Answer Prometheus on `settings.exporter_host` until `stop` is set; without it, until the process is stopped.

    The store may come later: until then the answer is `churn_monitor_up 0`.

    Parameters
    ----------
    settings : Settings
        The store's URL, and where to listen.
    stop : threading.Event, optional
        Set it to stop.

    Raises
    ------
    OSError
        If the port is taken.
    """
    with exporter(lambda: Store.open(settings.store_url), settings.exporter_port, settings.exporter_host, settings):
        (stop or threading.Event()).wait()


@contextmanager
def exporter(
    open_store: Callable[[], Store], port: int, host: str = "127.0.0.1", settings: Settings | None = None
) -> Iterator[int]:
    """Answer Prometheus while the block runs.

    Parameters
    ----------
    open_store : callable
        Connects to the store; called at the first scrape, and again until it succeeds.
    port : int
        0: a free one.
    host : str
        The address to listen on.
    settings : Settings, optional
        As for `MonitorCollector`.

    Yields
    ------
    int
        The port.
    """
    collector, registry = MonitorCollector(open_store, settings), CollectorRegistry(auto_describe=False)
    registry.register(collector)
    server, thread = start_http_server(port, addr=host, registry=registry)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        collector.close()
