"""Runs whose process is gone: say so to Prefect, or they hold the only slot of their deployment for ever."""

from __future__ import annotations

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed

UNFINISHED = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


def crash_orphans() -> int:
    """Mark every unfinished run of a deployment as crashed; how many there were.

    Only for a time when no runner of this Prefect server is up, as when `churn up` has started the server and not yet the flows.
    """
    unfinished = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED)),
        deployment_id=FlowRunFilterDeploymentId(is_null_=False),
    )
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=unfinished)
        for run in runs:
            client.set_flow_run_state(run.id, Crashed(message="its process was gone when the system started again"), force=True)
    return len(runs)
