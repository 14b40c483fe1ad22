"""What the store remembers: predictions, outcomes, looks of the monitor, decisions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from churn.clock import now
from churn.ids import new_id

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class PredictionRow(NamedTuple):
    """One answer of the service as it is logged before it is sent: primitives only, in the order of the table's columns.

    Attributes
    ----------
    requested_at : str
        `YYYY-MM-DD HH:MM:SS.ffffff`, UTC.
    churn_probability, threshold : float
        In [0, 1].
    features : str
        The customer as validated, a JSON object: feature name to number, boolean, text or null.
    """

    prediction_id: str
    customer_id: str | None
    requested_at: str
    model_version: str
    churn_probability: float
    threshold: float
    churn: bool
    features: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """One prediction with all that belongs to it.

    Attributes
    ----------
    features : dict
        The customer as validated: feature name to number, boolean, text or None.
    churn_probability, threshold : float
        In [0, 1].
    """

    prediction_id: str
    customer_id: str | None
    requested_at: datetime
    model_version: str
    churn_probability: float
    threshold: float
    churn: bool
    features: dict[str, Any]

    def row(self) -> PredictionRow:
        """Spell it as the log keeps it."""
        if self.requested_at.tzinfo is None:
            raise ValueError(f"{self.requested_at!r} has no time zone")
        return PredictionRow(
            self.prediction_id,
            self.customer_id,
            self.requested_at.astimezone(UTC).strftime(TIME_FORMAT),
            self.model_version,
            self.churn_probability,
            self.threshold,
            self.churn,
            orjson.dumps(self.features).decode(),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came true for a prediction, named by its id or, for the customer's newest prediction, by the customer."""

    churned: bool
    observed_at: datetime
    prediction_id: str | None = None
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class OutcomeReceipt:
    """What became of a list of outcomes. The positions (0-based) in `unknown` and `conflicting` were not stored.

    Attributes
    ----------
    accepted : int
        Stored now.
    duplicates : int
        Said before, with the same result: nothing changed.
    unknown : list of int
        No such prediction, or no prediction for that customer.
    conflicting : list of int
        Another result is already stored for that prediction. The first one stays.
    """

    accepted: int = 0
    duplicates: int = 0
    unknown: list[int] = field(default_factory=list)
    conflicting: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MonitorRun:
    """One look of the monitor at what is new of one model version: unjudged predictions, and unjudged outcomes.

    Attributes
    ----------
    last_seq, last_outcome_seq : int
        How far the looks have come, by the store's numbering of predictions and of outcomes; the next look starts after them.
    rows, labelled_rows : int
        Predictions judged for covariate shift, and labelled predictions judged for performance; 0 where there were too few.
    result : dict
        `monitoring.run_result.RunResult` as JSON.
    report : str or None
        Path of the report for people.
    mature_until : datetime
        When the youngest prediction whose outcome was judged was asked for, by this look or those before.
    """

    run_id: str
    started_at: datetime
    model_version: str
    last_seq: int
    last_outcome_seq: int
    rows: int
    labelled_rows: int
    covariate_alarm: bool
    concept_alarm: bool
    result: dict[str, Any]
    report: str | None = None
    mature_until: datetime = EPOCH


class DecisionKind(StrEnum):
    """What a decision is about."""

    POLICY = "policy"  # what follows from a monitoring run
    EVENT = "event"  # what the policy asked for was sent
    TRAINING = "training"  # a training began, or was not made
    GATE = "gate"  # whether a challenger may become champion
    INTENT = "intent"  # the aliases are about to move
    PROMOTION = "promotion"
    ROLLBACK = "rollback"
    RETRAIN = "retrain"  # how a training ended
    RETENTION = "retention"  # old rows were removed
    ERASURE = "erasure"  # a customer's rows were removed


class DecisionAction(StrEnum):
    """What was decided or done; each line below belongs to one kind of decision."""

    NONE, WATCH, PAGE = "none", "watch", "page"  # policy, and RETRAIN
    RETRAIN = "retrain"
    SENT = "sent"  # event
    STARTED, SKIPPED = "started", "skipped"  # training
    PASSED, REJECTED = "passed", "rejected"  # gate; of a retraining, too
    PROMOTION, ROLLBACK = "promotion", "rollback"  # intent: what is about to be done
    PROMOTED, ROLLED_BACK = "promoted", "rolled back"  # promotion, rollback; of a retraining, too
    FAILED = "failed"  # intent, retrain
    PRUNED = "pruned"  # retention
    ERASED = "erased"  # erasure


@dataclass(frozen=True, slots=True)
class Decision:
    """Something that was decided or done: by whom, why, and on which evidence.

    Attributes
    ----------
    actor : str
        Who or what decided: "gate", "monitor", user@host.
    reason : str
        One sentence for people.
    evidence : dict
        JSON-ready.
    """

    kind: DecisionKind
    action: DecisionAction
    actor: str
    reason: str
    model_version: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    decision_id: str = field(default_factory=new_id)
    decided_at: datetime = field(default_factory=now)
