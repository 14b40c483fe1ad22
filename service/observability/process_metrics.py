"""CPU time, memory and open files of all workers together; prometheus_client's own collector sees one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class ProcessCollector(Collector):
    """Sums up CPU time, memory and open files of the processes that `pids` returns, at each scrape."""

    def __init__(self, pids: Callable[[], Sequence[int]]) -> None:
        self._pids = pids

    def collect(self) -> Iterator[Metric]:
        """Yield the sums. A process that ends meanwhile is left out."""
        workers, seconds, resident, files = 0, 0.0, 0, 0
        for pid in self._pids():
            try:
                process = psutil.Process(pid)
                with process.oneshot():
                    times, memory, opened = process.cpu_times(), process.memory_info().rss, process.num_fds()
            except psutil.Error:
                continue
            workers += 1
            seconds += times.user + times.system
            resident += memory
            files += opened
        yield GaugeMetricFamily("churn_workers", "Worker processes.", value=workers)
        yield CounterMetricFamily("churn_process_cpu_seconds", "CPU time that the workers took, in seconds.", value=seconds)
        yield GaugeMetricFamily(
            "churn_process_resident_memory_bytes", "Resident memory of the workers, in bytes.", value=resident
        )
        yield GaugeMetricFamily("churn_process_open_fds", "Open files and sockets of the workers.", value=files)
