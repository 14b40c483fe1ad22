from __future__ import annotations

import os
import socket

import pytest

from tools.containers.listening import listens


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_is_open_from_when_it_is_listened_on_until_it_is_closed(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as ours:
        try:
            ours.bind((address, 0))
        except OSError:
            pytest.skip("needs IPv6 on this machine's loopback")
        port = ours.getsockname()[1]
        assert not listens(os.getpid(), port), "bound, and nobody would be answered"
        ours.listen()
        assert listens(os.getpid(), port)
        with socket.create_connection((address, port)) as other:
            assert not listens(os.getpid(), other.getsockname()[1]), "connected, and does not listen"
    assert not listens(os.getpid(), port)


def test_a_process_that_is_not_there_listens_on_nothing() -> None:
    assert not listens(0, 80)
