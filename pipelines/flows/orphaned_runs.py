"""Flow runs whose process is gone: mark them as crashed, or each holds the only slot of its deployment for ever.

Prefect's runner does this for a process whose end it sees. It cannot if its server is away at that moment, or if the runner
itself was killed. Processes are checked rather than heartbeats, because all heartbeats stop when the server does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import psutil
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

from pipelines.flows.prefect_api import PREFECT_API_ERRORS, prefect_client

UNFINISHED = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
# What Prefect's runner tells the process of a run.
RUN_ID = "PREFECT__FLOW_RUN_ID"
POLL_SECONDS = 30.0
logger = logging.getLogger(__name__)


def crash_orphans(only: set[str] | None = None, on_crash: Callable[[FlowRun], None] = lambda _run: None) -> int:
    """Mark unfinished runs of deployments as crashed if their process does not live on this machine.

    Without `only`, call it while no runner of this Prefect server is up: when `churn up` has started the server and not yet the
    flows, or when a killed runner comes back. A run that outlived its runner is left to finish.

    Parameters
    ----------
    only : set of str, optional
        Ids of runs; others are left as they are.
    on_crash : callable
        Called with each.

    Returns
    -------
    int
        How many there were.
    """
    runs = [run for run in orphans() if only is None or str(run.id) in only]
    with prefect_client() as client:
        for run in runs:
            client.set_flow_run_state(run.id, Crashed(message="its process is gone, and its result is not known"), force=True)
            on_crash(run)
    return len(runs)


def orphans() -> list[FlowRun]:
    """List the unfinished runs of deployments that have no process on this machine."""
    unfinished = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED)),
        deployment_id=FlowRunFilterDeploymentId(is_null_=False),
    )
    with prefect_client() as client:
        runs = client.read_flow_runs(flow_run_filter=unfinished)
    # In this order: a run that began in between has its process.
    living = living_runs()
    return [run for run in runs if str(run.id) not in living]


def living_runs() -> dict[str, int]:
    """Return the process of every run that has one on this machine, by the run's id."""
    found = {}
    for process in psutil.process_iter(["environ", "status"]):
        run_id = (process.info["environ"] or {}).get(RUN_ID)
        if run_id and process.info["status"] != psutil.STATUS_ZOMBIE:
            found[run_id] = process.pid
    return found


class Watch:
    """Looks for orphans while a runner is up. A run is an orphan if two checks in a row find it without a process."""

    def __init__(self, on_crash: Callable[[FlowRun], None] = lambda _run: None) -> None:
        self._on_crash = on_crash
        self._suspects: set[str] = set()

    def check(self) -> int:
        """Check once, and return how many runs were marked as crashed. While the server is away no run is suspected."""
        suspects, self._suspects = self._suspects, set()
        try:
            self._suspects = {str(run.id) for run in orphans()}
            certain = suspects & self._suspects
            return crash_orphans(certain, self._on_crash) if certain else 0
        except PREFECT_API_ERRORS as error:
            logger.debug("Prefect's server cannot be asked for runs: %s", error)
            return 0

    def start(self, stop: threading.Event, seconds: float = POLL_SECONDS) -> None:
        """Check again and again in a thread of its own.

        Parameters
        ----------
        stop : threading.Event
            Ends it.
        seconds : float
            Between two checks.
        """

        def work(*_: Any) -> None:
            while not stop.wait(seconds):
                if found := self.check():
                    logger.warning("%d flow runs ended without a result, and are marked as crashed", found)

        threading.Thread(target=work, name="orphans", daemon=True).start()
