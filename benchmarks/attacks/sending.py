"""Send an attack to a port of this machine, and give how it was answered."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.wire import Wire

# Longer than every timeout of the service under attack.
TIMEOUT_SECONDS = 40.0
# How much of an answer is kept: the rest is read and counted.
KEPT_BYTES = 65_536
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5]\d\d)")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
CUT = "cut off"


@dataclass
class Sent:
    """What was sent, and what came back.

    Attributes
    ----------
    sent, received : int
        Bytes.
    answers : Counter of str
        Statuses, or `cut off` where a connection ended without one.
    """

    sent: int = 0
    received: int = 0
    answers: Counter[str] = field(default_factory=Counter)


def send_attack(attack: Attack, port: int) -> Sent:
    """Send one request; read its whole answer.

    Parameters
    ----------
    attack : Attack
    port : int

    Returns
    -------
    Sent
    """
    headers = {"Host": "127.0.0.1", **attack.headers, "Content-Length": str(len(attack.body)), "Connection": "close"}
    lines = [f"{attack.method} {attack.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return _converse(port, Wire(attack.name, "\r\n".join(lines).encode("latin-1") + attack.body))


def send_wire(wire: Wire, port: int) -> Sent:
    """Send what a wire attack says, over as many connections as it says.

    Parameters
    ----------
    wire : Wire
    port : int

    Returns
    -------
    Sent
        Of all connections together.
    """
    total = Sent()
    with ThreadPoolExecutor(wire.connections) as pool:
        for one in pool.map(lambda _: _converse(port, wire), range(wire.connections)):
            total.sent += one.sent
            total.received += one.received
            total.answers += one.answers
    return total


def _converse(port: int, wire: Wire) -> Sent:
    done, heard = Sent(), bytearray()
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as client:
        # It may be turned away before all is sent.
        with suppress(OSError):
            done.sent += _send(client, wire.begin)
            for _ in range(wire.times):
                time.sleep(wire.pause)
                done.sent += _send(client, wire.piece)
            done.sent += _send(client, wire.end)
        if not wire.is_read:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return done
        with suppress(OSError):
            while part := client.recv(262_144):
                done.received += len(part)
                heard += part[: max(0, KEPT_BYTES - len(heard))]
                if _is_whole(heard, done.received, wire):
                    break
    done.answers.update(status.decode() for status in _STATUS.findall(bytes(heard)))
    if not done.answers:
        done.answers[CUT] += 1
    return done


def _send(client: socket.socket, data: bytes) -> int:
    client.sendall(data)
    return len(data)


def _is_whole(heard: bytearray, received: int, wire: Wire) -> bool:
    """Return whether the one answer that is waited for is there; of many, all are read until the server closes."""
    if wire.times:
        return False
    head, found, _ = bytes(heard).partition(b"\r\n\r\n")
    length = _LENGTH.search(head) if found and not head.startswith(b"HTTP/1.1 1") else None
    return length is not None and received >= len(head) + 4 + int(length[1])
