"""Starting a server, asking it with wrk, and stopping it again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.serving.baselines import Baseline
from churn.errors import ChurnError

READY_SECONDS = 120
# wrk's numbers as they are: its own table rounds them, and gives no 99 % without an option.
_SCRIPT = """
local folder, count = os.getenv("BENCHMARK_BODIES"), tonumber(os.getenv("BENCHMARK_COUNT"))
local function body(number)
  local file = io.open(folder .. "/" .. number, "rb")
  local found = file:read("*all")
  file:close()
  return found
end
wrk.method, wrk.body = "POST", body(0)
wrk.headers["Content-Type"] = os.getenv("BENCHMARK_TYPE")
if count > 1 then
  local requests, at = {}, 0
  function init(args)
    for number = 0, count - 1 do requests[number] = wrk.format(nil, nil, nil, body(number)) end
  end
  function request()
    at = (at + 1) % count
    return requests[at]
  end
end
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\\nJSON{"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"bad":%d}\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What wrk saw: requests a second, and latencies in milliseconds."""

    rate: float
    p50: float
    p99: float
    requests: int


@dataclass
class Server:
    """A baseline that runs."""

    baseline: Baseline
    process: subprocess.Popen[bytes]
    port: int
    ready_seconds: float

    def rss(self) -> float:
        """Give the resident memory of its largest process, in MB: the worker, where there is one."""
        family = [self.process.pid, *descendants(self.process.pid)]
        return max(_rss(pid) for pid in family)

    def cpu_seconds(self) -> float:
        """Return the CPU time, user and system, that its processes have taken so far."""
        return sum(_cpu_seconds(pid) for pid in [self.process.pid, *descendants(self.process.pid)])


@contextmanager
def running(baseline: Baseline, port: int, log: Path) -> Iterator[Server]:
    """Run a server until the block ends; ChurnError with the end of what it printed if it does not get ready."""
    with log.open("wb") as out:
        started = time.perf_counter()
        process = subprocess.Popen(
            baseline.command,
            env=baseline.environment,
            cwd=baseline.folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait(baseline, process, port, log)
            yield Server(baseline, process, port, time.perf_counter() - started)
        finally:
            _stop(process)


def _wait(baseline: Baseline, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if baseline.ready:
                ready = httpx2.get(f"http://127.0.0.1:{port}{baseline.ready}", timeout=2).status_code
            else:
                ready = ask(baseline, port).status_code
            if ready == httpx2.codes.OK:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.02)
    said = log.read_text(errors="replace").strip().splitlines()[-3:]
    raise ChurnError(f"{baseline.name} did not get ready: {' | '.join(said)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    process.wait()


def ask(baseline: Baseline, port: int) -> httpx2.Response:
    """Ask once."""
    address = f"http://127.0.0.1:{port}{baseline.path}"
    return httpx2.post(address, content=baseline.body, headers={"content-type": "application/json"}, timeout=60)


def press(port: int, path: str, *bodies: bytes, connections: int, seconds: float, media_type: str = "application/json") -> Load:
    """Ask as fast as answers come, over so many connections, with one body or with several in turn.

    Raises
    ------
    ChurnError
        If wrk is missing or fails, or any answer was no success: the figure would mean nothing.
    """
    if shutil.which("wrk") is None:
        raise ChurnError("wrk is missing; install it with: apt-get install wrk")
    with tempfile.TemporaryDirectory() as name:
        script = Path(name, "wrk.lua")
        script.write_text(_SCRIPT)
        for number, body in enumerate(bodies):
            Path(name, str(number)).write_bytes(body)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(script)]
        told = {**os.environ, "BENCHMARK_BODIES": name, "BENCHMARK_COUNT": str(len(bodies)), "BENCHMARK_TYPE": media_type}
        command.append(f"http://127.0.0.1:{port}{path}")
        try:
            done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=seconds + 90, check=True)
        except subprocess.SubprocessError as error:
            raise ChurnError(f"wrk failed: {error}") from error
    found = json.loads(done.stdout.rpartition("JSON")[2])
    if found["bad"] or not found["requests"]:
        raise ChurnError(f"{found['bad']} of {found['requests']} answers were no success")
    return Load(found["requests"] / found["seconds"], found["p50"], found["p99"], found["requests"])


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    try:
        direct = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*direct, *(grandchild for child in direct for grandchild in descendants(child))]


def _rss(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
