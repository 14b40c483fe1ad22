"""Clients who connect and say nothing, begin a request and never end it, or never read their answer."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import orjson

from benchmarks.chaos.scenarios import Row, Size, scenario
from benchmarks.chaos.service.load import Load
from benchmarks.chaos.service.system import Service, serving
from benchmarks.chaos.store.account import enter

ANSWERS = 100
HEAD = b"POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
BEGINNINGS = (b"", b"POST /pre", HEAD, HEAD + b"content-length: 100\r\n\r\n{", HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n{")
# Their answer is more than the kernel takes.
ROWS = 30_000


@scenario("slow-clients")
def slow_clients(size: Size) -> Row:
    """Let many of them hold a connection each, while others are served; each must be rid of after a while."""
    row, url = Row("slow-clients"), f"sqlite:///{size.work / 'store.db'}"
    count = int(size.pick(200, 3_000))
    settings = {"CHURN_BODY_TIMEOUT_SECONDS": "5"}
    with ExitStack() as stack:
        service = stack.enter_context(serving(size.work / "home", url, settings=settings))
        load = stack.enter_context(Load(service.address, rate=size.rate))
        load.wait_for(ANSWERS)
        held = [stack.enter_context(_begun(service.port, BEGINNINGS[number % len(BEGINNINGS)])) for number in range(count)]
        held.append(stack.enter_context(_deaf(service.port)))
        row.faults = len(held)
        load.wait_for(ANSWERS)
        ports = {one.getsockname()[1] for one in held}
        # Those who read nothing would not see that they are rid of: the service is asked.
        service.wait_until(lambda: not ports & _peers(service))
        load.wait_for(ANSWERS)
    enter(row, url, load.tally)
    row.expect(f"the others are served ({load.tally.failed[:1]})", not row.failed + row.cut + load.tally.refused)
    return row


def _begun(port: int, beginning: bytes) -> socket.socket:
    """Connect, and send the beginning of a request."""
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(beginning)
    return one


def _deaf(port: int) -> socket.socket:
    """Ask for a large answer, and do not read it."""
    one = socket.socket()
    # Little room in the kernel, so that the answer stays with the service.
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    one.connect(("127.0.0.1", port))
    body = orjson.dumps({"customers": [{"customer_service_calls": 1}] * ROWS})
    head = "POST /predict/batch HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    head += f"content-length: {len(body)}\r\n\r\n"
    one.sendall(head.encode() + body)
    return one


def _peers(service: Service) -> set[int]:
    """Give the ports of those whom the service is connected with."""
    return {one.raddr.port for one in service.family()[0].net_connections("tcp") if one.raddr}
