"""Ports that are found, by one process and by others at the same time."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from churn.errors import ChurnError
from pipelines.local import ports
from pipelines.local.ports import free_port, is_free

# Below all that anybody else finds.
NOBODY_ELSES, ANOTHER = range(19_000, 19_003), range(19_003, 19_004)
FINDS = "from pipelines.local import ports; ports.PORTS = range(19003, 19004); print(ports.free_port(), flush=True); input()"


def test_a_port_is_free_until_somebody_listens() -> None:
    port = free_port()
    assert is_free(port)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert not is_free(port)
    assert is_free(port)


def test_what_was_found_is_not_found_again_and_what_somebody_listens_on_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "PORTS", NOBODY_ELSES)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", NOBODY_ELSES[2]))
        taken.listen()
        assert {free_port(), free_port()} == set(NOBODY_ELSES[:2])
        with pytest.raises(ChurnError, match="no port from 19000 to 19002 is free"):
            free_port()


def test_the_kernel_gives_none_of_them_to_whoever_asks_for_any() -> None:
    told = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not told.exists():
        pytest.skip("only Linux says which ports it gives")
    assert int(told.read_text().split()[0]) > ports.PORTS[-1]
    assert free_port() in ports.PORTS


def test_another_process_finds_another_port_until_this_one_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "PORTS", ANOTHER)
    with subprocess.Popen([sys.executable, "-c", FINDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert int(other.stdout.readline()) == ANOTHER[0]
        with pytest.raises(ChurnError, match="is free"):
            free_port()
        other.communicate("end", timeout=60)
    assert free_port() == ANOTHER[0]
