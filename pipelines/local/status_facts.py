"""What `churn status --json` prints of each part: the keys and what they hold."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict


class ModelFacts(TypedDict):
    """The model that the service answers with, as GET /model describes it; moments in ISO 8601."""

    version: str
    aliases: list[str] | None
    trained_at: str
    loaded_at: str | None
    trigger: str | None
    threshold: float | None
    simulated: bool | None


class TrafficFacts(TypedDict):
    """Predictions of the last hour, or `at_least` so many; and when the newest prediction and outcome came, if any did."""

    last_hour: int
    at_least: bool
    last_prediction_at: datetime | None
    last_outcome_at: datetime | None


class MonitorFacts(TypedDict):
    """The policy's newest decision, and the newest monitoring run."""

    at: datetime
    action: str
    reason: str
    model_version: str | None
    rows: int
    labelled_rows: int
    report: str | None


class FlowFacts(TypedDict):
    """All runs of a flow so far, as of `churn.store.flow_runs.FlowRunCounts`."""

    flow: str
    succeeded: int
    failed: int
    last_ended_at: datetime
    last_success_at: datetime | None
    last_seconds: float
    last_failure: str


class DecisionFacts(TypedDict):
    """A decision without its evidence."""

    decided_at: datetime
    kind: str
    action: str
    actor: str
    model_version: str | None
    reason: str


class NextRun(TypedDict):
    """When a flow is due next."""

    flow: str
    at: datetime


class StoreFacts(TypedDict, total=False):
    """All that the store tells; nothing while it is away."""

    traffic: TrafficFacts
    flows: list[FlowFacts]
    decisions: list[DecisionFacts]
    monitor: MonitorFacts | None
