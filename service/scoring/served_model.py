"""A model in service: from validated customers to predictions and their records in the log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import orjson

from churn.campaigns.control_group import ACTIONS, NOBODY, Action, ControlGroup
from churn.clock import now
from churn.contract import Contract
from churn.customers.columns import CustomerColumns
from churn.errors import NoReasons, NoSegments
from churn.ids import new_id, new_ids
from churn.modeling.model_info import ModelInfo
from churn.store.contacts.opted_out import NOBODY_OPTED_OUT, OptedOut
from churn.store.records import PredictionRow
from service.scoring.scored_batch import BatchSegments, ScoredBatch
from service.scoring.scorer import Path, Scorer

if TYPE_CHECKING:
    from churn.explain.segmenter import Segmenter
    from service.scoring.reason_givers import ReasonGiver


@dataclass(frozen=True)
class ServedModel:
    """One model in service, with everything that belongs to it. A request uses the same one from start to end."""

    info: ModelInfo
    card: str
    contract: Contract
    scorer: Scorer
    explainer: ReasonGiver | None
    loaded_from: Literal["registry", "disk"]
    loaded_at: datetime = field(default_factory=now)
    segmenter: Segmenter | None = None

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.contract.feature_names)

    @property
    def version(self) -> str:
        """Its version number in the registry."""
        return self.info.version

    @property
    def path(self) -> Path:
        """Which scorer predicts: the compiled model, or the pipeline itself."""
        return self.scorer.path

    def score_one(self, values: Sequence[Any], customer_id: str | None, control: ControlGroup = NOBODY) -> PredictionRow:
        """Predict for one customer.

        Parameters
        ----------
        values : sequence
            One validated value per feature, in the contract's order: float, bool, str, or None where missing.
        customer_id : str or None
        control : ControlGroup
            Who is not contacted.

        Returns
        -------
        PredictionRow
            The record for the log, with a new prediction id.
        """
        at = time.time_ns()
        probability = self.scorer.one(values)
        threshold = self.info.threshold
        churn = probability >= threshold
        return PredictionRow(
            new_id(at),
            customer_id,
            format_time(at),
            self.info.version,
            probability,
            threshold,
            churn,
            orjson.dumps(dict(zip(self._names, values, strict=True))).decode(),
            churn and control.has(customer_id),
        )

    def score_columns(
        self, customers: CustomerColumns, control: ControlGroup = NOBODY, opted_out: OptedOut = NOBODY_OPTED_OUT
    ) -> ScoredBatch:
        """Predict for many customers.

        Parameters
        ----------
        customers : CustomerColumns
        control : ControlGroup
            Who is not contacted.
        opted_out : OptedOut
            Who wants no contacts.

        Returns
        -------
        ScoredBatch
        """
        probabilities, threshold = self.scorer.many(customers), self.info.threshold
        churn = probabilities >= threshold
        named = customers.customer_ids
        return ScoredBatch(
            customers,
            new_ids(len(customers)),
            probabilities,
            churn,
            self.info.version,
            threshold,
            format_time(time.time_ns()),
            np.zeros(len(churn), np.bool_) if named is None else control.among(named, churn),
            None if named is None or not len(opted_out) else opted_out.among(named, churn),
        )

    def explain(self, values: Sequence[Any], strongest: int) -> dict[str, Any]:
        """Explain the prediction for one customer.

        Parameters
        ----------
        values : sequence
            As in `score_one`.
        strongest : int
            How many reasons at most.

        Returns
        -------
        dict
            `base_value` (log-odds) and `reasons`, strongest first, which orjson writes as they are; see `Explainer.reasons_for`.
            And `approximate`, true, where contributions are estimates.

        Raises
        ------
        NoReasons
            If this model is not compiled: then contributions are not known.
        """
        if self.explainer is None:
            raise NoReasons("the model in service cannot give reasons")
        base, reasons = self.explainer.write_reasons(self.scorer.values(values), strongest)
        said = {"base_value": base, "reasons": orjson.Fragment(reasons)}
        return said | {"approximate": True} if self.explainer.approximate else said

    def segment_of(self, values: Sequence[Any]) -> str:
        """Name the segment of one customer; `values` as in `score_one`. Raise NoSegments if the model knows none."""
        segmenter = self.require_segments()
        return segmenter.name(self.scorer.values(values))

    def add_segments(self, batch: ScoredBatch) -> ScoredBatch:
        """Return a batch with the segments of its customers. Raise NoSegments if the model knows none."""
        segmenter = self.require_segments()
        numbers = segmenter.of_customers(batch.customers, self.contract)
        return replace(batch, segments=BatchSegments(numbers, segmenter.names))

    def require_segments(self) -> Segmenter:
        """Return what finds segments. Raise NoSegments if the model knows none."""
        if self.segmenter is None:
            raise NoSegments("the model in service knows no segments; the next training gives it some")
        return self.segmenter


def format_time(at: int) -> str:
    """Format a time, in nanoseconds since 1970, as the log does: UTC, to the microsecond.

    Examples
    --------
    >>> format_time(1_767_323_045_000_006_789)
    '2026-01-02 03:04:05.000006'
    """
    seconds, rest = divmod(at, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1_000:06d}"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    # Thousands of predictions share it.
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def action_of(churn: bool, held_out: bool, opted_out: bool = False) -> Action:
    """Return what is to be done with a customer.

    Parameters
    ----------
    churn : bool
        Whether the probability is at or above the threshold.
    held_out : bool
        Whether the customer belongs to the control group.
    opted_out : bool
        Whether the customer wants no contacts.

    Returns
    -------
    str
        `contact`, `hold_out` (would be contacted, but belongs to the control group) or `none`.
    """
    return ACTIONS[0 if opted_out else churn + held_out]


def to_response(row: PredictionRow, opted_out: bool = False) -> dict[str, Any]:
    """Return a record of the log as the response of POST /predict: what is sent is what is stored.

    Parameters
    ----------
    row : PredictionRow
    opted_out : bool
        Whether the customer wants no contacts. That is no part of the record: who is held out is so by chance alone, and who is
        not contacted is known by the contacts.

    Returns
    -------
    dict
    """
    return {
        "prediction_id": row.prediction_id,
        "customer_id": row.customer_id,
        "churn_probability": row.churn_probability,
        "churn": row.churn,
        "action": action_of(row.churn, row.held_out, opted_out),
        "threshold": row.threshold,
        "model_version": row.model_version,
    }
