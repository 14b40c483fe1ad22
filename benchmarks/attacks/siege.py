"""Attack a running service with everything, one after another, while others use it, and judge what it cost them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies import generated, handmade
from benchmarks.attacks.sending import Sent, send_attack, send_wire
from benchmarks.attacks.watching import MB, Memory, MemoryLimit, Readiness
from benchmarks.attacks.wire import Wire, wire_attacks
from benchmarks.chaos.service.load import Load
from benchmarks.chaos.service.system import Service, serving

LIMIT_BYTES = 512 * MB
# What DESIGN.md promises of each request.
MEMORY_FACTOR, MEMORY_BYTES = 10, 64 * MB
READY_SECONDS, OTHERS_SECONDS = 0.25, 0.1
SETTINGS = {"CHURN_BODY_TIMEOUT_SECONDS": "3"}
# Another client: so many requests a second over so many connections.
OTHERS_RATE, OTHERS_CONNECTIONS = 100.0, 2
PROMISED_503 = "503"
# How long what nobody waits for is watched.
SETTLE_SECONDS = 2.0


@dataclass
class Row:
    """What the attacks of one kind cost.

    Attributes
    ----------
    kind : str
    number, sent, received : int
        Attacks; bytes.
    memory : int
        The most that one of them added to the resident bytes.
    over : int
        How far the worst exceeded what is promised, in bytes; at most 0 if none did.
    seconds : float
    ready, others : float
        The slowest /readyz, and the other client's 99th percentile, in seconds.
    not_ready : int
        How often /readyz said that the service is not ready.
    answers : Counter of str
    """

    kind: str
    number: int = 0
    sent: int = 0
    received: int = 0
    memory: int = 0
    over: int = -MEMORY_BYTES
    worst: str = ""
    seconds: float = 0.0
    ready: float = 0.0
    others: float = 0.0
    not_ready: int = 0
    answers: Counter[str] = field(default_factory=Counter)

    def report(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**vars(self), "answers": dict(self.answers)}


@dataclass
class Siege:
    """What came of all attacks.

    Attributes
    ----------
    rows : list of Row
    restarts : int
        How often the service had to be started again.
    ended_by : list of str
        The attacks during which it ended.
    failed_others : list of str
        What the other client was told instead of a prediction.
    limit_mb : float
        Resident megabytes at which the service is killed.
    handmade, generated, wire : int
        How many of each.
    """

    rows: list[Row] = field(default_factory=list)
    restarts: int = 0
    ended_by: list[str] = field(default_factory=list)
    failed_others: list[str] = field(default_factory=list)
    limit_mb: float = 0.0
    handmade: int = 0
    generated: int = 0
    wire: int = 0

    def broken(self) -> list[str]:
        """Return what was promised and not kept, but for times: those depend on what else the machine does."""
        found = [f"the service ended {self.restarts} times: {', '.join(self.ended_by)}"] if self.restarts else []
        for row in self.rows:
            if row.over > 0:
                found.append(f"{row.kind}: {row.over / MB:.0f} MB more than ten times its size plus 64 MB ({row.worst})")
            errors = {status: n for status, n in row.answers.items() if status.startswith("5") and status != PROMISED_503}
            if errors:
                found.append(f"{row.kind}: answered {errors}")
            # (After a restart it is not ready for a while.)
            if row.not_ready and not self.restarts:
                found.append(f"{row.kind}: /readyz said {row.not_ready} times that the service is not ready")
        # (To have waited too long is no answer; see `late`.)
        if told := [failure for failure in self.failed_others if failure[:1].isdigit()]:
            found.append(f"another client was told: {told[0]} ({len(told)} times)")
        return found

    def late(self) -> list[str]:
        """Return the kinds during which others waited too long."""
        return [row.kind for row in self.rows if row.ready > READY_SECONDS or row.others > OTHERS_SECONDS]


@dataclass(frozen=True)
class Plan:
    """Which attacks are sent.

    Attributes
    ----------
    wires : callable
        Returns the attacks on the protocol.
    bodies : callable
        Returns the bodies made by hand.
    seed : int
        Of the generated bodies.
    numbers : range
        Which of those.
    """

    wires: Callable[[], Iterable[Wire]] = wire_attacks
    bodies: Callable[[], Iterable[Attack]] = handmade
    seed: int = 18
    numbers: range = range(0)


def besiege(work: Path, plan: Plan, progress: Callable[[str], None]) -> Siege:
    """Start a service with a limit to its memory and send it every attack.

    Parameters
    ----------
    work : Path
        An empty folder.
    plan : Plan
    progress : callable
        Called with each kind before it begins.

    Returns
    -------
    Siege
    """
    siege, rows = Siege(), dict[str, Row]()
    with (
        serving(work / "home", f"sqlite:///{work / 'store.db'}", settings=SETTINGS) as service,
        ExitStack() as limits,
        Load(service.address, connections=OTHERS_CONNECTIONS, rate=OTHERS_RATE) as load,
        Readiness(service.port) as ready,
    ):
        load.wait_for(50)
        ready.take()
        limit = limits.enter_context(MemoryLimit(service.pid, LIMIT_BYTES))
        siege.limit_mb = limit.max_bytes / MB

        def one(kind: str, name: str, send: Callable[[], Sent], settle: float = 0.0) -> None:
            nonlocal limit
            if kind not in rows:
                progress(kind)
            row = rows.setdefault(kind, Row(kind))
            with _measured(row, name, service, load, ready, settle) as answers:
                answers.append(send())
            if not _is_alive(service):
                siege.restarts += 1
                siege.ended_by.append(f"{name} (killed at its limit)" if limit.exceeded_by else name)
                service.start()
                limit = limits.enter_context(MemoryLimit(service.pid, LIMIT_BYTES))

        for wire in plan.wires():
            siege.wire += 1
            settle = 0.0 if wire.is_read else SETTLE_SECONDS
            one(wire.name, wire.name, partial(send_wire, wire, service.port), settle)
        for attack in plan.bodies():
            siege.handmade += 1
            one(kind_of(attack), attack.name, partial(send_attack, attack, service.port))
        for attack in generated(plan.seed, plan.numbers):
            siege.generated += 1
            one(_route(attack), attack.name, partial(send_attack, attack, service.port))
    siege.failed_others = load.tally.failed
    siege.rows = list(rows.values())
    return siege


def kind_of(attack: Attack) -> str:
    """Return what an attack made by hand is, without the route that it was sent to."""
    return attack.name.partition(" on /")[0].partition(" to /")[0]


def _route(attack: Attack) -> str:
    media = attack.headers.get("Content-Type", attack.headers.get("content-type", "no type")).partition(";")[0]
    return f"generated: {media} to {attack.path.partition('?')[0]}"


def _is_alive(service: Service) -> bool:
    """Return whether it goes on; one that was just killed needs a moment to be gone."""
    assert service.process is not None
    if Memory(service.pid).now() == 0:
        service.process.wait(10)
    return service.process.poll() is None


@contextmanager
def _measured(row: Row, name: str, service: Service, load: Load, ready: Readiness, settle: float) -> Iterator[list[Sent]]:
    assert service.process is not None
    memory, answers = Memory(service.pid), list[Sent]()
    before, asked, begun = memory.now(), len(load.tally.seconds), time.perf_counter()
    memory.forget_peak()
    yield answers
    time.sleep(settle)
    row.seconds += time.perf_counter() - begun
    slowest, refused = ready.take()
    row.ready, row.not_ready = max(row.ready, slowest), row.not_ready + refused
    others = sorted(load.tally.seconds[asked:])
    if others:
        row.others = max(row.others, others[int(0.99 * (len(others) - 1))])
    row.number += 1
    for one in answers:
        row.sent += one.sent
        row.received += one.received
        row.answers += one.answers
        if service.process.poll() is None:
            added = memory.peak() - before
            over = added - MEMORY_FACTOR * one.sent - MEMORY_BYTES
            row.memory = max(row.memory, added)
            if over > row.over:
                row.over, row.worst = over, name
