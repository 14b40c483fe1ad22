"""The result of a monitoring run: one typed object, from the measurement to the store, the policy, the exporter and the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from churn.errors import StoreError
from churn.store.records import Decision, DecisionAction, DecisionKind, MonitorRun
from monitoring.drift.cohorts import Cohorts
from monitoring.drift.results import DriftReport, DriftResult
from monitoring.performance.comparison import PerformanceComparison
from monitoring.performance.concept_drift import ConceptResult
from monitoring.performance.cusum import SequentialResult
from monitoring.performance.group_gaps import GroupReport
from monitoring.reported_drift import ReportedDrift
from monitoring.slice_quality import SliceQuality, SliceReport, describe_quality
from monitoring.slicing import describe_slice
from monitoring.window_summary import WindowSummary


@dataclass(frozen=True, slots=True)
class RetrainDecision:
    """What to do after a monitoring run, and why, in a sentence with numbers.

    Attributes
    ----------
    action : DecisionAction
        NONE, WATCH, RETRAIN or PAGE.
    """

    action: DecisionAction
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a monitoring run measured; nothing is decided yet.

    Attributes
    ----------
    drift : DriftReport or None
        The customers and predictions of the window against the reference. None where it has too few.
    moved : DriftReport or None
        Its customers who were seen before against themselves. None where these are too few.
    newcomers : DriftReport or None
        Customers who came for the first time against those who did before them. None where either are too few.
    reported : tuple of ReportedDrift
        What this run and those before said of these customers, and is not to be said again.
    cohorts : Cohorts
        The newcomers up to this run, in sums.
    concept : ConceptResult or None
        Drift in the outcomes of the window. None where it has too few.
    sequential : SequentialResult or None
        Drift in the stream of all outcomes so far. None as for `concept`, and without a reference.
    slices : SliceReport or None
        Drift in the outcomes of groups of customers. None as for `concept`, and where the reference has no slices.
    groups : GroupReport or None
        Gaps between groups by sensitive columns, where the company sends them. Told, and no alarm.
    segments : dict of str to float
        How large each of the model's segments is in the window. Empty where it has too few, or the model knows none.
    """

    run_id: str
    started_at: datetime
    model_version: str
    window: WindowSummary
    drift: DriftReport | None = None
    moved: DriftReport | None = None
    newcomers: DriftReport | None = None
    reported: tuple[ReportedDrift, ...] = ()
    cohorts: Cohorts = field(default_factory=Cohorts)
    performance: PerformanceComparison = field(default_factory=PerformanceComparison)
    concept: ConceptResult | None = None
    sequential: SequentialResult | None = None
    slices: SliceReport | None = None
    groups: GroupReport | None = None
    segments: dict[str, float] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Predictions judged for drift; 0 where there were too few."""
        return self.window.rows

    @property
    def labelled_rows(self) -> int:
        """Outcomes judged; 0 where there were too few."""
        return self.window.labelled_rows

    @property
    def covariate_alarm(self) -> bool:
        """Whether customers or answers moved or differ, in a column that the model makes use of, as news."""
        return any(report.covariate_alarm or report.prediction_alarm for report in self._reports)

    @property
    def news(self) -> tuple[DriftResult, ...]:
        """What moved or differs, and was not said before; of a column that did several of these, each."""
        return tuple(result for report in self._reports for result in report.news)

    @property
    def _reports(self) -> tuple[DriftReport, ...]:
        return tuple(report for report in (self.moved, self.newcomers, self.drift) if report is not None)

    @property
    def concept_alarm(self) -> bool:
        """Whether outcomes contradict the model, in the window, in a slice of its customers, or in the stream."""
        return any(found is not None and found.alarm for found in (self.concept, self.slices, self.sequential))

    @property
    def worse_slices(self) -> tuple[str, ...]:
        """The slices whose outcomes contradict the model, in words, the most surprising first."""
        return _spelled(self.slices.alarms if self.slices is not None else ())

    @property
    def missed_groups(self) -> tuple[str, ...]:
        """The groups by sensitive columns that the version misses from its first outcomes on, likewise."""
        return _spelled(self.slices.misses if self.slices is not None else ())

    @property
    def violated(self) -> tuple[str, ...]:
        """The questions to the outcomes that alarm."""
        tests = self.concept.tests if self.concept is not None else ()
        stream = (self.sequential.kind,) if self.sequential is not None and self.sequential.alarm else ()
        return (*(test.question for test in tests if test.violated), *stream)

    def decided(self, policy: RetrainDecision) -> RunResult:
        """Return these findings with what was decided on them."""
        return RunResult(**{one.name: getattr(self, one.name) for one in fields(self)}, policy=policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult(Findings):
    """What a monitoring run measured and what was decided on it.

    Attributes
    ----------
    report : str or None
        Path of the page for people.
    """

    policy: RetrainDecision
    report: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        document: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return document

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> RunResult:
        """Read what `to_dict` returned.

        Raises
        ------
        ValueError
            If the document is no result of a monitoring run; the message names what is wrong.
        """
        return _adapter().validate_python(document)

    def to_record(self) -> MonitorRun:
        """Return the row that the store keeps: the cursors and alarms as columns, everything as JSON."""
        return MonitorRun(
            run_id=self.run_id,
            started_at=self.started_at,
            model_version=self.model_version,
            last_seq=self.window.last_seq,
            last_outcome_seq=self.window.last_outcome_seq,
            mature_until=self.window.mature_until,
            rows=self.rows,
            labelled_rows=self.labelled_rows,
            covariate_alarm=self.covariate_alarm,
            concept_alarm=self.concept_alarm,
            result=self.to_dict(),
            report=self.report,
        )

    @classmethod
    def from_record(cls, record: MonitorRun) -> RunResult:
        """Read a row of the store.

        Raises
        ------
        StoreError
            If other code wrote the row.
        """
        try:
            return cls.from_dict(record.result)
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(str(part) for part in problem["loc"])
            raise StoreError(f"monitoring run {record.run_id} cannot be read: {place}: {problem['msg']}") from error

    def to_decision(self) -> Decision:
        """Return the policy's decision as the store keeps it, with the numbers that it rests on."""
        realized = self.performance.realized
        return Decision(
            kind=DecisionKind.POLICY,
            action=self.policy.action,
            actor="monitor",
            reason=self.policy.reason,
            model_version=self.model_version,
            evidence={
                "run_id": self.run_id,
                "rows": self.rows,
                "labelled_rows": self.labelled_rows,
                "covariate_alarm": self.covariate_alarm,
                "concept_alarm": self.concept_alarm,
                "drifted": [f"{result.feature} ({result.aspect})" for result in self.drift.news] if self.drift else [],
                "moved": [f"{result.feature} ({result.aspect})" for result in self.moved.news] if self.moved else [],
                "newcomers": [f"{result.feature} ({result.aspect})" for result in self.newcomers.news] if self.newcomers else [],
                "said_before": [f"{result.feature} ({result.aspect})" for result in self.drift.known] if self.drift else [],
                "roc_auc": realized.roc_auc if realized else None,
                "brier": realized.brier if realized else None,
                "calibration_in_the_large": realized.calibration_in_the_large if realized else None,
                "violated": list(self.violated),
                "worse_slices": list(self.worse_slices),
                "missed_groups": list(self.missed_groups),
                "labels": self.window.labels,
            },
            decided_at=self.started_at,
        )


def _spelled(slices: Sequence[SliceQuality]) -> tuple[str, ...]:
    return tuple(f"{describe_slice(one.column, one.level)}: {describe_quality(one)}" for one in slices)


@cache
def _adapter() -> TypeAdapter[RunResult]:
    return TypeAdapter(RunResult)
