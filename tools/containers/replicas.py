"""A replica dies under load, and another one stops: what is lost, and whether they come back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from churn.errors import ChurnError
from tools.containers.stack import ContainerStack
from tools.stack.callers import Callers

TIMEOUT_SECONDS = 600


def lose_replicas(stack: ContainerStack, say: Callable[[str], None]) -> None:
    """Kill, crash and stop replicas while callers ask through the proxy.

    HAProxy gives a request that got no answer to the other replica, so no caller may see a failure as long as it knows that one:
    the next is taken away only once the last gets requests again. And each answer that a caller has must be in the store.

    Parameters
    ----------
    stack : ContainerStack
    say : callable
        Told what happened.

    Raises
    ------
    ChurnError
        If a request failed, or an answered prediction is not in the store.
    """
    one = stack.container("service-1")
    with Callers(stack.url("proxy", "/predict"), stack.key, threads=4, pause=0.02) as callers:
        callers.wait_for(200)
        stack.engine.podman("kill", "--signal", "KILL", one)
        callers.wait_for(200)
        # Who kills a container is obeyed: podman does not start it again by itself.
        stack.engine.podman("start", one)
        _await(lambda: stack.count_predictions("service-1") > 0, "service-1 answers again")
        # A program that dies is started again: `restart: unless-stopped`.
        before = stack.pid("service-2")
        os.kill(before, signal.SIGKILL)
        _await(
            lambda: stack.pid("service-2") not in (0, before) and stack.count_predictions("service-2") > 0,
            "service-2 came back by itself, and answers",
        )
        stack.engine.podman("stop", "--time", "45", one)
        callers.wait_for(200)
        stack.engine.podman("start", one)
        _await(lambda: stack.count_predictions("service-1") > 0, "service-1 answers after its stop")
    if callers.failed:
        raise ChurnError(
            f"{len(callers.failed)} of {len(callers.failed) + len(callers.answered)} requests failed: {callers.failed[0]}"
        )
    lost = set(callers.answered)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while lost and time.monotonic() < deadline:
        lost -= set(stack.query("SELECT prediction_id FROM predictions WHERE customer_id IS NOT NULL"))
    if lost:
        raise ChurnError(f"{len(lost)} of {len(callers.answered)} answered predictions are not in the store")
    say(
        f"service-1 killed and started, service-2 crashed and came back, service-1 stopped: {len(callers.answered)} requests, "
        "0 failed, each answer in the store once"
    )


def _await(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            raise ChurnError(f"it did not happen within {TIMEOUT_SECONDS} s: {what}")
        time.sleep(1.0)
