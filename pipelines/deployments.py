"""When the flows run: by schedule, by event, on demand. One process serves both, each run in a process of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentEventTrigger
from prefect.schedules import Cron, Interval

from churn.settings import Settings, load_settings
from pipelines.console import warn
from pipelines.environment import prepare_environment
from pipelines.messages import RETRAIN_EVENT
from pipelines.monitor import monitor_flow
from pipelines.orphans import crash_orphans
from pipelines.train import train_flow

TRAIN, MONITOR = "train/retrain", "monitor/look"


def make_deployments(settings: Settings) -> list[RunnerDeployment]:
    """Describe both deployments: retraining by cron and by the monitor's event, monitoring by interval.

    One run of each at a time: a second one is cancelled, not queued, because the first already sees what it would see.
    """
    one_at_a_time = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    retrain = train_flow.to_deployment(
        name="retrain",
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
    look = monitor_flow.to_deployment(
        name="look",
        description="Look at what is new: drift, performance, and what to do about it.",
        schedules=[Interval(timedelta(seconds=settings.monitor_interval_seconds), slug="interval")],
        concurrency_limit=one_at_a_time,
        tags=["churn"],
    )
    # Prefect types these as awaitable too, for callers inside an event loop.
    return [cast(RunnerDeployment, retrain), cast(RunnerDeployment, look)]


def main() -> None:
    """Serve the deployments until stopped. Stopping does not pause the schedules.

    A runner that was killed leaves runs behind that nobody finishes, and each holds its deployment's only slot.
    """
    settings = load_settings()
    prepare_environment(settings)
    if orphans := crash_orphans():
        warn(f"{orphans} flow run{'s' if orphans > 1 else ''} ended with the last runner and did not finish")
    serve(*make_deployments(settings), pause_on_shutdown=False, limit=4)


if __name__ == "__main__":
    main()
