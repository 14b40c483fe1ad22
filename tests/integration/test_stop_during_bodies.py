"""SIGTERM while clients' large bodies compute: the process ends within its grace, whatever they would still take (issue 18)."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx2
import psutil

from benchmarks.attacks.wire import BATCH
from benchmarks.chaos.service.system import serving

BODIES = 16
# `churn serve` with a second for answers that are under way, not half a minute.
IMPATIENT = """
import runpy, sys
from service.server import run
run.FINISH_SECONDS = 1
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
TIMEOUT_SECONDS = 240.0


def test_the_service_ends_while_bodies_are_read(tmp_path: Path) -> None:
    customers = ",".join(['{"state":"OH","total_day_minutes":1}'] * 90_000)
    body = f'{{"customers":[{customers}]}}'.encode()
    attack = BATCH + b"Content-Length: %d\r\n\r\n" % len(body) + body
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with serving(tmp_path / "home", url, before=(sys.executable, "-c", IMPATIENT)) as service, ExitStack() as open_sockets:
        process = psutil.Process(service.pid)
        idle = cpu_seconds(process)
        answer = httpx2.post(
            f"http://{service.address}/predict/batch",
            content=body,
            headers={"content-type": "application/json"},
            timeout=TIMEOUT_SECONDS,
        )
        assert answer.status_code == httpx2.codes.OK
        one = cpu_seconds(process) - idle
        for _ in range(BODIES):
            client = open_sockets.enter_context(socket.create_connection(("127.0.0.1", service.port), TIMEOUT_SECONDS))
            client.sendall(attack)
        begun = spent = cpu_seconds(process)
        process.terminate()
        # Its work is what counts: by the clock, all depends on what else this machine does.
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            spent = cpu_seconds(process)
            time.sleep(0.05)
        assert spent - begun < BODIES * one / 2


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
