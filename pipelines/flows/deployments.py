"""When the flows run: by schedule, by event, on demand. One process serves all, each run in a process of its own."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import cast

from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, FlowRun
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentEventTrigger
from prefect.schedules import Cron, Interval
from prefect.states import Crashed

from churn.config.settings import Settings, load_settings
from pipelines.console import warn
from pipelines.deployment_names import MONITOR, SCORE, TRAIN
from pipelines.environment import prepare_environment
from pipelines.flows.events import RETRAIN_EVENT
from pipelines.flows.monitor import monitor_flow
from pipelines.flows.orphaned_runs import Watch, crash_orphans
from pipelines.flows.prefect_api import PREFECT_API_ERRORS, is_unreachable
from pipelines.flows.score import score_flow
from pipelines.flows.train import train_flow
from pipelines.flows.train_failure import record_failure

WAIT_SECONDS = 0.5


def make_deployments(settings: Settings) -> list[RunnerDeployment]:
    """Describe the deployments: retraining by cron and by the monitor's event, monitoring by interval, scoring of a file by cron.

    One run of each at a time: a second one is cancelled, not queued, because the first already sees what it would see.
    """
    one_at_a_time = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    retrain = train_flow.to_deployment(
        name=_name(TRAIN),
        description="Train a challenger; it becomes champion if it passes the gate.",
        schedules=[Cron(settings.retrain_cron, timezone="UTC", parameters={"trigger": "schedule"}, slug="cron")],
        triggers=[
            DeploymentEventTrigger(
                name="retrain-when-the-world-has-moved",
                expect={RETRAIN_EVENT},
                parameters={"trigger": "{{ event.payload.reason }}", "asked_by": "{{ event.payload.decision_id }}"},
            )
        ],
        concurrency_limit=one_at_a_time,
        tags=["churn"],
    )
    monitor = monitor_flow.to_deployment(
        name=_name(MONITOR),
        description="Judge what is new: drift, performance, and what to do about it.",
        schedules=[Interval(timedelta(seconds=settings.monitor_interval_seconds), slug="interval")],
        concurrency_limit=one_at_a_time,
        tags=["churn"],
    )
    made = [retrain, monitor]
    if settings.score_input:
        nightly = score_flow.to_deployment(
            name=_name(SCORE),
            description="Score the customers of CHURN_SCORE_INPUT and log the answers.",
            schedules=[Cron(settings.score_cron, timezone="UTC", slug="cron")],
            concurrency_limit=one_at_a_time,
            tags=["churn"],
        )
        made.append(nightly)
    # Prefect types these as awaitable too, for callers inside an event loop.
    return [cast(RunnerDeployment, deployment) for deployment in made]


def _name(of_deployment: str) -> str:
    return of_deployment.partition("/")[2]


def main() -> None:
    """Serve the deployments until stopped. Stopping does not pause the schedules.

    A runner that was killed leaves runs behind that nobody finishes, and each holds its deployment's only slot. A server that is
    away is waited for: Prefect's own runner gives up after some minutes.
    """
    settings = load_settings()
    prepare_environment(settings)
    warned = False
    while True:
        try:
            serve_once(settings)
            return
        except (*PREFECT_API_ERRORS, BaseExceptionGroup) as error:
            if not is_unreachable(error):
                raise
            if not warned:
                warn("Prefect's server does not answer; the flows wait for it")
            warned = True
        time.sleep(WAIT_SECONDS)


def serve_once(settings: Settings) -> None:
    """Serve the deployments until stopped, or until the server has been away for too long for Prefect's runner."""
    if orphans := crash_orphans(on_crash=note_crash):
        warn(f"{orphans} flow run{'s' if orphans > 1 else ''} ended with the last runner and did not finish")
    stop = threading.Event()
    Watch(note_crash).start(stop)
    try:
        serve(*make_deployments(settings), pause_on_shutdown=False, limit=4)
    finally:
        stop.set()


def note_crash(run: FlowRun) -> None:
    """Record that a training was killed: the policy waits for its end. A killed monitoring run is simply repeated."""
    parameters = run.parameters or {}
    if "trigger" in parameters or "asked_by" in parameters:
        record_failure(train_flow, run, Crashed(message="its process is gone, and its result is not known"))


if __name__ == "__main__":
    main()
