"""The race for single answers: every baseline is asked about one customer a request, in turns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from subprocess import SubprocessError
from typing import Any, NamedTuple

import httpx2
import pandas as pd

from benchmarks.serving.baselines import BENTOML, MLFLOW, MLSERVER, Baseline, in_house, install, peer
from benchmarks.serving.fixture import Fixture
from benchmarks.serving.load import Load, Server, ask, press, running
from churn.errors import ChurnError
from pipelines.local.ports import free_port

PEER_NAMES = (MLFLOW, MLSERVER, BENTOML)
CLOSE = 1e-6
Announce = Callable[[str], None]
Figures = dict[str, Any]


class Turn(NamedTuple):
    """What one turn found: over 32 connections, over one, and the CPU time that an answer took over the 32, in microseconds."""

    many: Load
    one: Load
    cpu_us: float


def single_answers(
    fixture: Fixture, work: Path, announce: Announce, *, seconds: float, repeats: int, peers: bool
) -> list[Figures]:
    """Press each baseline with one customer a request, in turns, so that a noisy machine hits all alike."""
    customers = fixture.customers(1)
    results: dict[str, Figures] = {}
    with ExitStack() as stack:
        servers: list[Server] = []
        for make in _baselines(fixture, customers, work, peers=peers):
            port = free_port()
            try:
                baseline = make(port)
            except (OSError, ValueError, RuntimeError, ChurnError) as error:  # an environment that cannot be made
                announce(f"left out: {error}")
                results[str(error)[:60]] = {"name": "peer", "failed": str(error)}
                continue
            announce(f"starting {baseline.name}")
            try:
                server = stack.enter_context(running(baseline, port, work / f"{baseline.name.replace(' ', '-')}.log"))
                _check(server, fixture, customers)
                press(port, baseline.path, baseline.body, connections=8, seconds=1)  # warm
            except ChurnError as error:
                announce(str(error))
                results[baseline.name] = {"name": baseline.name, "failed": str(error)}
                continue
            servers.append(server)
        turns: dict[str, list[Turn]] = {server.baseline.name: [] for server in servers}
        for turn in range(repeats):
            for server in servers:
                announce(f"turn {turn + 1} of {repeats}: {server.baseline.name}")
                try:
                    turns[server.baseline.name].append(_turn(server, seconds))
                except ChurnError as error:  # the others go on
                    announce(str(error))
                    results[server.baseline.name] = {"name": server.baseline.name, "failed": str(error)}
        for server in servers:
            if server.baseline.name not in results:
                results[server.baseline.name] = _summary(server, turns[server.baseline.name])
    return list(results.values())


def _turn(server: Server, seconds: float) -> Turn:
    baseline, before = server.baseline, server.cpu_seconds()
    many = press(server.port, baseline.path, baseline.body, connections=32, seconds=seconds)
    cpu = 1e6 * (server.cpu_seconds() - before) / many.requests
    one = press(server.port, baseline.path, baseline.body, connections=1, seconds=max(1, seconds / 2))
    return Turn(many, one, cpu)


def _summary(server: Server, turns: list[Turn]) -> Figures:
    rates = [turn.many.rate for turn in turns]
    return {
        "name": server.baseline.name,
        "rate": median(rates),
        "rates": rates,
        "p50_ms": median(turn.many.p50 for turn in turns),
        "p99_ms": median(turn.many.p99 for turn in turns),
        "one_connection_p50_ms": median(turn.one.p50 for turn in turns),
        "cpu_us": median(turn.cpu_us for turn in turns),
        "ready_seconds": server.ready_seconds,
        "rss_mb": server.rss(),
        "asks_a_model": server.baseline.probability is not None,
    }


def _baselines(fixture: Fixture, customers: pd.DataFrame, work: Path, *, peers: bool) -> list[Callable[[int], Baseline]]:
    def house(place: int) -> Callable[[int], Baseline]:
        return lambda port: in_house(fixture, customers, port)[place]

    def outside(name: str) -> Callable[[int], Baseline]:
        def make(port: int) -> Baseline:
            try:
                install(name)
            except (OSError, ValueError, RuntimeError, SubprocessError) as error:
                raise ChurnError(f"{name} cannot be installed: {error}") from error
            return peer(name, fixture, customers, port, work)

        return make

    return [*(house(place) for place in range(4)), *(outside(name) for name in (PEER_NAMES if peers else ()))]


def _check(server: Server, fixture: Fixture, customers: pd.DataFrame) -> None:
    """Compare its answer with the pipeline's own before anything is timed."""
    baseline = server.baseline
    answer = ask(baseline, server.port)
    if answer.status_code != httpx2.codes.OK:
        raise ChurnError(f"{baseline.name} answers {answer.status_code}: {answer.text[:200]}")
    if baseline.probability is not None:
        own = float(fixture.probabilities(customers)[0])
        if not abs(baseline.probability(answer.json()) - own) <= CLOSE:
            raise ChurnError(f"{baseline.name} answers otherwise than the pipeline itself")
