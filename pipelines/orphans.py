"""Runs whose process is gone: say so to Prefect, or they hold the only slot of their deployment for ever."""

from __future__ import annotations

import psutil
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed

UNFINISHED = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
# What Prefect's runner tells the process of a run.
RUN_ID = "PREFECT__FLOW_RUN_ID"


def crash_orphans() -> int:
    """Mark every unfinished run of a deployment as crashed whose process does not live on this machine; how many there were.

    Only for a time when no runner of this Prefect server is up: when `churn up` has started the server and not yet the flows, or
    when a runner that was killed comes back. A run that outlived its runner is left to finish.
    """
    unfinished = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED)),
        deployment_id=FlowRunFilterDeploymentId(is_null_=False),
    )
    living = living_runs()
    with get_client(sync_client=True) as client:
        runs = [run for run in client.read_flow_runs(flow_run_filter=unfinished) if str(run.id) not in living]
        for run in runs:
            client.set_flow_run_state(run.id, Crashed(message="its process was gone when the system started again"), force=True)
    return len(runs)


def living_runs() -> dict[str, int]:
    """Give the process of every run that has one here, by the run's id."""
    found = {}
    for process in psutil.process_iter(["environ", "status"]):
        told = (process.info["environ"] or {}).get(RUN_ID)
        if told and process.info["status"] != psutil.STATUS_ZOMBIE:
            found[told] = process.pid
    return found
