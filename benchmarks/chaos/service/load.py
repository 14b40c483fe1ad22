"""A client that asks without a pause, or at a pace, and remembers every answer: what it was told is what must be kept.

Every request is of a customer of its own, and is never repeated: a customer who is in the store twice was duplicated.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from array import array
from dataclasses import dataclass, field
from typing import Self, cast

import orjson
import uvloop

from churn.errors import ChurnError
from churn.ids import new_id

# A client that waits longer has been failed, whatever comes later.
TIMEOUT_SECONDS = 10.0
# A test or scenario that waits longer for an event has failed.
EVENT_SECONDS = 90.0
RETRY_SECONDS = 0.02
CUSTOMER = {"customer_service_calls": 4, "international_plan": "Yes", "state": "OH"}
OK = 200


@dataclass
class Tally:
    """What a client saw.

    Attributes
    ----------
    name : str
        Begins the ids of its customers.
    answered : dict
        Of each prediction that was answered: its id to its probability.
    failed : list of str
        What came instead of an answer: a status and the problem's detail, or that nothing came in time.
    cut, refused : int
        Requests whose connection ended without an answer, and connections that nobody accepted.
    seconds : array of float
        How long each answer took.
    """

    name: str = field(default_factory=lambda: new_id()[-12:])
    made: int = 0
    answered: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    cut: int = 0
    refused: int = 0
    seconds: array[float] = field(default_factory=lambda: array("d"))

    def percentile(self, share: float) -> float:
        """Give a percentile of the latencies, in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[int(share * (len(ordered) - 1))] if ordered else float("nan")


class Load:
    """Asks from a thread of its own, in a `with` block.

    Parameters
    ----------
    addresses : list of str
        `host:port` of each replica; the connections are dealt out to them.
    connections : int
    rate : float
        Requests a second, of all connections; 0: as many as are answered.
    """

    def __init__(self, *addresses: str, connections: int = 8, rate: float = 0.0) -> None:
        self.tally = Tally()
        self._addresses, self._connections = addresses, connections
        self._pause = connections / rate if rate else 0.0
        self._numbers = itertools.count()
        self._told = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(EVENT_SECONDS)
        if self._error is not None:
            raise self._error

    def wait_for(self, answers: int, seconds: float = EVENT_SECONDS) -> None:
        """Wait until so many more predictions were answered; ChurnError if that takes too long."""
        aim = len(self.tally.answered) + answers
        with self._told:
            if not self._told.wait_for(lambda: len(self.tally.answered) >= aim or self._error is not None, seconds):
                missing = aim - len(self.tally.answered)
                raise ChurnError(f"{missing} of {answers} answers did not come within {seconds:g} s; {self.tally.failed[-1:]}")

    def wait_for_failures(self, failures: int) -> None:
        """Wait until so many requests have failed since the beginning."""
        with self._told:
            if not self._told.wait_for(lambda: len(self.tally.failed) >= failures, EVENT_SECONDS):
                raise ChurnError(f"only {len(self.tally.failed)} requests failed")

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._ask_all())
        except BaseException as error:  # noqa: BLE001 -- told to whoever waits
            self._error = error

    async def _ask_all(self) -> None:
        places = itertools.islice(itertools.cycle(self._addresses), self._connections)
        await asyncio.gather(*(self._ask_on(address, number) for number, address in enumerate(places)))

    async def _ask_on(self, address: str, number: int) -> None:
        host, port = address.split(":")
        tally, link = self.tally, None
        due = time.monotonic() + self._pause * number / self._connections
        while not self._stop.is_set():
            if self._pause:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due = max(due + self._pause, time.monotonic() - 1.0)
            if link is None or link.gone:
                try:
                    _, link = await asyncio.get_running_loop().create_connection(_Link, host, int(port))
                except OSError:
                    tally.refused += 1
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
            tally.made += 1
            begun = time.perf_counter()
            body = _customer(tally.name, next(self._numbers))
            try:
                status, told = await link.ask(body)
            except ConnectionError:
                tally.cut += 1
                continue
            except TimeoutError:
                link.close()
                self._note(failure=f"no answer within {TIMEOUT_SECONDS:g} s")
                continue
            if status == OK:
                said = orjson.loads(told)
                tally.seconds.append(time.perf_counter() - begun)
                self._note(answer=(said["prediction_id"], said["churn_probability"]))
            else:
                self._note(failure=f"{status} {orjson.loads(told)['title'] if told else ''}")
        if link is not None:
            link.close()

    def _note(self, *, answer: tuple[str, float] | None = None, failure: str = "") -> None:
        with self._told:
            if answer is None:
                self.tally.failed.append(failure)
            else:
                self.tally.answered[answer[0]] = answer[1]
            self._told.notify_all()


def _customer(name: str, number: int) -> bytes:
    # Not two neighbours alike: an answer that is kept under another's id shows.
    return orjson.dumps(CUSTOMER | {"customer_id": f"{name}-{number}", "total_day_minutes": 20.0 + number % 331})


class _Link(asyncio.Protocol):
    """A connection on which one request is asked at a time."""

    def __init__(self) -> None:
        self.gone = False
        self._heard = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, and does not say so

    async def ask(self, body: bytes) -> tuple[int, bytes]:
        """Give status and body of the answer; ConnectionError if there is none, TimeoutError if it is late."""
        if self.gone:
            raise ConnectionError
        self._answer, self._heard = asyncio.get_running_loop().create_future(), b""
        head = "POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        head += f"content-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)
        return await asyncio.wait_for(self._answer, TIMEOUT_SECONDS)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, found, body = self._heard.partition(b"\r\n\r\n")
        if not found or self._answer is None or self._answer.done():
            return
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) >= length:
            self._answer.set_result((int(head[9:12]), body))

    def connection_lost(self, _error: Exception | None) -> None:
        self.gone = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError())

    def close(self) -> None:
        self._transport.close()
