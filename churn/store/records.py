"""What the store keeps: predictions, outcomes, monitoring runs, decisions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from churn.clock import now
from churn.ids import new_id

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Later than any prediction.
NO_LIMIT = datetime(2200, 1, 1, tzinfo=UTC)
TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class PredictionRow(NamedTuple):
    """A prediction as it is logged before the answer is sent: primitives only, in the order of the table's columns.

    Attributes
    ----------
    requested_at : str
        `YYYY-MM-DD HH:MM:SS.ffffff`, UTC.
    churn_probability, threshold : float
        In [0, 1].
    features : str
        The customer as validated, a JSON object: feature name to number, boolean, text or null.
    held_out : bool
        Whether the customer would be contacted, and is left alone, as one of the control group.
    """

    prediction_id: str
    customer_id: str | None
    requested_at: str
    model_version: str
    churn_probability: float
    threshold: float
    churn: bool
    features: str
    held_out: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """One prediction.

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
    held_out: bool = False

    def row(self) -> PredictionRow:
        """Return it as it is logged. Raise ValueError if its moment has no time zone."""
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
            self.held_out,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a customer churned. It belongs to a prediction by id or, by customer id, to the newest one asked for before.

    Before: at or before `observed_at`.

    Attributes
    ----------
    corrects : bool
        Whether it takes the place of an outcome that was observed earlier, and was wrong.
    withdrawn : bool
        Whether an outcome that was observed earlier is taken back, and nothing is known; `churned` means nothing then.
    """

    churned: bool
    observed_at: datetime
    prediction_id: str | None = None
    customer_id: str | None = None
    corrects: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class OutcomeReceipt:
    """What became of a list of outcomes. Those at the positions (0-based) in `unknown` and `conflicting` were not stored.

    Attributes
    ----------
    accepted : int
        How many were stored now.
    duplicates : int
        How many were stored before, with the same result.
    unknown : list of int
        Where there is no such prediction, or no prediction of that customer.
    conflicting : list of int
        Where another result is stored for that prediction, which stays; of a correction, one that was observed no earlier.
    corrected : int
        How many corrections and withdrawals were stored now.
    """

    accepted: int = 0
    duplicates: int = 0
    unknown: list[int] = field(default_factory=list)
    conflicting: list[int] = field(default_factory=list)
    corrected: int = 0


@dataclass(frozen=True, slots=True)
class MonitorRun:
    """One run of the monitor on what is new of one model version: predictions and outcomes that no run has judged.

    Attributes
    ----------
    last_seq, last_outcome_seq : int
        Numbers (`seq`) of the last prediction and the last outcome that were judged; the next run starts after them.
    rows, labelled_rows : int
        Predictions judged for covariate shift, and labelled predictions judged for performance; 0 where there were too few.
    result : dict
        `monitoring.run_result.RunResult` as JSON.
    report : str or None
        Path of the report for people.
    mature_until : datetime
        When the newest prediction whose outcome was judged, by this run or an earlier one, was requested.
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
