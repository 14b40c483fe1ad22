"""SIGTERM while clients' large bodies compute: the process ends within its grace, whatever they would still take (issue 18)."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.attacks.wire import BATCH
from benchmarks.chaos.service.system import serving
from service.server.run import DRAIN_SECONDS, FINISH_SECONDS
from service.threads import CLIENT_THREADS

BODIES = 4 * CLIENT_THREADS
# A busy machine starts and ends processes slowly.
ROOM_SECONDS = 20.0


def test_the_service_ends_while_bodies_are_read(tmp_path: Path) -> None:
    customers = ",".join(['{"state":"OH","total_day_minutes":1}'] * 90_000)
    body = f'{{"customers":[{customers}]}}'.encode()
    attack = BATCH + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with serving(tmp_path / "home", f"sqlite:///{tmp_path / 'store.db'}") as service, ExitStack() as open_sockets:
        for _ in range(BODIES):
            client = open_sockets.enter_context(socket.create_connection(("127.0.0.1", service.port), 10))
            client.sendall(attack)
        assert service.process is not None
        begun = time.monotonic()
        service.process.terminate()
        service.process.wait(DRAIN_SECONDS + FINISH_SECONDS + ROOM_SECONDS)
        assert time.monotonic() - begun < DRAIN_SECONDS + FINISH_SECONDS + ROOM_SECONDS
