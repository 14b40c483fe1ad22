"""Half an hour at half of what it can: memory, handles, threads and latency must not grow, and nothing may be lost."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from scipy.stats import theilslopes

from benchmarks.chaos.scenarios import Row, Size, scenario
from benchmarks.chaos.service.load import Load
from benchmarks.chaos.service.system import Service, serving
from benchmarks.chaos.store.account import enter
from tools.postgres import running_cluster

# What a new process still gathers (caches, pools, the allocator's arenas) is no leak.
WARM_UP_SHARE = 0.2
PEAK_SECONDS, PEAK_CONNECTIONS = 10.0, 32
# A leak of a hundred bytes a request would show as more than this at any rate worth the name.
RSS_MB_AN_HOUR = 20.0
MIN_SAMPLES = 12


@dataclass(frozen=True)
class Sample:
    """The service at one moment: `p99_ms` and `rate` are of the time since the sample before."""

    at: float
    rss_mb: float
    handles: int
    threads: int
    p50_ms: float
    p99_ms: float
    rate: float


@scenario("soak")
def soak(size: Size) -> Row:
    """Ask at half the peak for `size.minutes`."""
    row = Row("soak")
    seconds, every = 60 * size.minutes, size.pick(0.25, 10.0)
    with running_cluster() as cluster, cluster.database() as url, serving(size.work / "home", url) as service:
        with Load(service.address, connections=PEAK_CONNECTIONS) as peak:
            time.sleep(size.pick(0.5, PEAK_SECONDS))
        rate = len(peak.tally.answered) / size.pick(0.5, PEAK_SECONDS) / 2
        samples: list[Sample] = []
        with Load(service.address, connections=PEAK_CONNECTIONS, rate=rate) as load:
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                asked = len(load.tally.seconds)
                time.sleep(every)
                samples.append(_sample(service, load.tally.seconds[asked:], every))
                _keep(size.work.parent / "churn-soak.json", samples)
        service.wait_for_place("store")
        enter(row, url, peak.tally, load.tally)
    row.expect("nothing fails", not row.failed)
    judge(row, samples)
    row.note = f"{rate:,.0f} requests/s for {size.minutes:g} min: " + ", ".join(f"{k} {v}" for k, v in row.figures.items())
    return row


def judge(row: Row, samples: Sequence[Sample]) -> None:
    """Fit lines that outliers do not move (Theil-Sen), and see whether they may be flat."""
    warm = samples[round(WARM_UP_SHARE * len(samples)) :]
    if len(warm) < MIN_SAMPLES:
        return
    hours = [one.at / 3600 for one in warm]
    for name in ("rss_mb", "handles", "threads", "p50_ms", "p99_ms"):
        values = [float(getattr(one, name)) for one in warm]
        slope, _, low, high = theilslopes(values, hours)
        middle = sorted(values)[len(values) // 2]
        row.figures[name] = f"{middle:.3g} ({slope:+.2g} an hour [{low:+.2g}, {high:+.2g}])"
        # In a few seconds any noise is a slope; half an hour is judged.
        if hours[-1] - hours[0] > 0.25 and name in ("rss_mb", "handles", "threads"):
            row.expect(f"{name} does not grow ({row.figures[name]})", low <= (RSS_MB_AN_HOUR if name == "rss_mb" else 0))
    row.figures["samples"] = [asdict(one) for one in (samples[0], samples[-1])]


def _sample(service: Service, latencies: Sequence[float], seconds: float) -> Sample:
    ordered = sorted(latencies) or [float("nan")]
    rss = handles = threads = 0.0
    for one in service.family():
        with suppress(psutil.NoSuchProcess):
            rss, handles, threads = rss + one.memory_info().rss, handles + one.num_fds(), threads + one.num_threads()
    return Sample(
        time.monotonic(),
        rss / 1e6,
        int(handles),
        int(threads),
        1000 * ordered[len(ordered) // 2],
        1000 * ordered[int(0.99 * (len(ordered) - 1))],
        len(latencies) / seconds,
    )


def _keep(file: Path, samples: Sequence[Sample]) -> None:
    # Half an hour must not be for nothing if this is cut off.
    file.write_text(json.dumps([asdict(one) for one in samples]))
