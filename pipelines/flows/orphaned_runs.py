"""Runs whose process is gone: say so to Prefect, or they hold the only slot of their deployment for ever.

Prefect's runner says it of a process that it sees ending. It cannot, if its server is away just then, or if it was killed itself.
So the processes are looked at, and not heartbeats, which stop for everybody when the server does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import psutil
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

from pipelines.flows.prefect_api import PREFECT_API_ERRORS

UNFINISHED = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
# What Prefect's runner tells the process of a run.
RUN_ID = "PREFECT__FLOW_RUN_ID"
POLL_SECONDS = 30.0
logger = logging.getLogger(__name__)


def crash_orphans(only: set[str] | None = None, on_crash: Callable[[FlowRun], None] = lambda _run: None) -> int:
    """Mark every unfinished run of a deployment as crashed whose process does not live on this machine; how many there were.

    Without `only` it is for a time when no runner of this Prefect server is up: when `churn up` has started the server and not
    yet the flows, or when a runner that was killed comes back. A run that outlived its runner is left to finish.

    Parameters
    ----------
    only : set of str, optional
        Ids of runs; others are left as they are.
    on_crash : callable
        Told of each.
    """
    runs = [run for run in orphans() if only is None or str(run.id) in only]
    with get_client(sync_client=True) as client:
        for run in runs:
            client.set_flow_run_state(run.id, Crashed(message="its process is gone, and did not say how it ended"), force=True)
            on_crash(run)
    return len(runs)


def orphans() -> list[FlowRun]:
    """List the unfinished runs of deployments that have no process on this machine."""
    unfinished = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED)),
        deployment_id=FlowRunFilterDeploymentId(is_null_=False),
    )
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=unfinished)
    # In this order: a run that began in between has its process.
    living = living_runs()
    return [run for run in runs if str(run.id) not in living]


def living_runs() -> dict[str, int]:
    """Give the process of every run that has one here, by the run's id."""
    found = {}
    for process in psutil.process_iter(["environ", "status"]):
        told = (process.info["environ"] or {}).get(RUN_ID)
        if told and process.info["status"] != psutil.STATUS_ZOMBIE:
            found[told] = process.pid
    return found


class Watch:
    """Looks for orphans as long as a runner is up. Who is one at two looks in a row is one: a run gets its process in between."""

    def __init__(self, on_crash: Callable[[FlowRun], None] = lambda _run: None) -> None:
        self._on_crash = on_crash
        self._suspects: set[str] = set()

    def look(self) -> int:
        """Look once; how many were marked as crashed. With the server away nothing is known, and nobody suspected."""
        suspects, self._suspects = self._suspects, set()
        try:
            self._suspects = {str(run.id) for run in orphans()}
            certain = suspects & self._suspects
            return crash_orphans(certain, self._on_crash) if certain else 0
        except PREFECT_API_ERRORS as error:
            logger.debug("Prefect's server cannot be asked for runs: %s", error)
            return 0

    def start(self, stop: threading.Event, seconds: float = POLL_SECONDS) -> None:
        """Look again and again in a thread of its own, until told to stop."""

        def work(*_: Any) -> None:
            while not stop.wait(seconds):
                if found := self.look():
                    logger.warning("%d flow runs ended without a word, and are marked as crashed", found)

        threading.Thread(target=work, name="orphans", daemon=True).start()
