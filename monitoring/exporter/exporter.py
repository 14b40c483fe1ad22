"""What the monitor found, for Prometheus. Stateless: each scrape reads the store, so that a restart loses and doubles nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from churn.config.settings import Settings
from churn.errors import StoreError
from churn.store.store import Store
from monitoring.exporter.campaigns import CampaignMetrics
from monitoring.exporter.metrics import exported
from monitoring.exporter.runs import collect_runs
from monitoring.exporter.totals import collect_totals

# How long a scrape waits for the store: less than Prometheus waits for the scrape. A statement has the same time.
READ_SECONDS = 6.0
# How long a client of the exporter may say nothing, or not read.
CLIENT_SECONDS = 10


class MonitorCollector(Collector):
    """Reads the store at each scrape. If the store is away, the answer is `churn_monitor_up 0` and nothing else.

    Parameters
    ----------
    open_store : callable
        Connects to the store; called at the first scrape, and again until it succeeds.
    settings : Settings, optional
        Without them two limits are not exported: how often the monitor is due, and which Brier score pages.
    seconds : float
        How long a scrape waits for the store.
    """

    def __init__(self, open_store: Callable[[], Store], settings: Settings | None = None, seconds: float = READ_SECONDS) -> None:
        self._open_store = open_store
        self._settings = settings
        self._store: Store | None = None
        self._seconds = seconds
        self._campaigns = CampaignMetrics(label_maturity_seconds=settings.label_maturity_seconds if settings else None)
        self._lock = threading.Lock()
        self._reading: Future[list[Metric]] | None = None

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family of the monitor, if the store answers in time."""
        families = self._read_in_time()
        yield exported("churn_monitor_up", int(families is not None))
        if self._settings is not None:
            yield exported("churn_monitor_interval_seconds", self._settings.monitor_interval_seconds)
        yield from families or ()

    def _read_in_time(self) -> list[Metric] | None:
        """Read the store in a thread: whatever it hangs in, the scrape is answered. While one hangs, no other is begun."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = Future()
                threading.Thread(target=self._read, args=(self._reading,), name="scrape", daemon=True).start()
            reading = self._reading
        try:
            return reading.result(self._seconds)
        except (StoreError, SQLAlchemyError, OSError):  # a TimeoutError is one
            return None

    def _read(self, reading: Future[list[Metric]]) -> None:
        try:
            if self._store is None:
                self._store = self._open_store()
            page_brier = self._settings.page_brier if self._settings else None
            totals = [*collect_runs(self._store, page_brier), *collect_totals(self._store)]
            reading.set_result([*totals, *self._campaigns.collect(self._store)])
        except BaseException as error:  # noqa: BLE001 -- raised by the scrape that waits for it
            reading.set_exception(error)

    def describe(self) -> list[Metric]:
        """Return nothing: registering must not ask the store."""
        return []

    def close(self) -> None:
        """Close the connections to the store."""
        if self._reading is not None:
            wait([self._reading], self._seconds)
        self._campaigns.wait(self._seconds)
        if self._store is not None:
            self._store.close()
            self._store = None


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
    with exporter(lambda: Store.open(settings.store_url, READ_SECONDS), settings.exporter_port, settings.exporter_host, settings):
        (stop or threading.Event()).wait()


@contextmanager
def exporter(
    open_store: Callable[[], Store],
    port: int,
    host: str = "127.0.0.1",
    settings: Settings | None = None,
    seconds: float = READ_SECONDS,
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
    seconds : float
        As for `MonitorCollector`.

    Yields
    ------
    int
        The port.
    """
    collector, registry = MonitorCollector(open_store, settings, seconds), CollectorRegistry(auto_describe=False)
    registry.register(collector)
    server, thread = start_http_server(port, addr=host, registry=registry)
    _answer_head(server)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(seconds)
        collector.close()


class _Handler(WSGIRequestHandler):
    """Leaves a client that says nothing, or does not read."""

    timeout = CLIENT_SECONDS

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def _answer_head(server: WSGIServer) -> None:
    """Answer HEAD as GET is answered, which the client of Prometheus does not; the server leaves the body out."""
    metrics: Any = server.get_app()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] != "HEAD":
            return metrics(environ, start_response)
        for _ in metrics(environ | {"REQUEST_METHOD": "GET"}, start_response):
            pass
        return [b""]

    server.set_app(app)
    server.RequestHandlerClass = _Handler
