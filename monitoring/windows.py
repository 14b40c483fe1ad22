"""What is new of one model version since it was last judged: predictions, and their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from churn.clock import now as present
from churn.config.settings import Settings
from churn.contract import Contract
from churn.store.cohort import LEAVERS_ONLY, Cohort, aside_in_words
from churn.store.maturity import Maturity
from churn.store.predictions.window_reader import Span, empty_part
from churn.store.records import EPOCH, MonitorRun
from churn.store.store import Store
from churn.store.treatment.selection import Selection
from monitoring.newest_per_customer import iter_newest_per_customer, newest_per_customer
from monitoring.performance.score_selection import ScoreSelection
from monitoring.window_outcomes import NO_COHORT, read_new_outcomes
from monitoring.window_summary import WindowSummary

if TYPE_CHECKING:
    import pandas as pd

# Of more new predictions an even sample is held, for pictures and estimates; what is compared goes by in parts, all of it.
MAX_HELD = 20_000


class Cursors(NamedTuple):
    """How far the runs on a model version have come: what is numbered above, or matured later, is new."""

    last_seq: int
    last_outcome_seq: int
    mature_until: datetime


START = Cursors(0, 0, EPOCH)


@dataclass(frozen=True)
class Window:
    """The part of the prediction log that one monitoring run judges.

    Attributes
    ----------
    rows : int
        Predictions not judged before; 0 while there are too few.
    current : pandas.DataFrame
        They, as `Store.iter_predictions` gives them; of more than 20,000 about so many, evenly spread.
    parts : function
        Gives the newest prediction of each customer, and those that name nobody, in frames that need not fit into memory
        together; each call reads them again.
    labelled : pandas.DataFrame
        Predictions whose outcome was not judged before (the prediction itself may have been), as `Store.read_outcomes` gives
        them, of customers who were not acted on; no rows while there are too few. Where some stand for others, with a column
        weight: for what depends on who is in the window.
    last_seq, last_outcome_seq : int
        How far this run comes in the store's numbering. Where nothing is judged, it stays where the last run left it.
    mature_until : datetime
        When the youngest prediction was asked for whose outcome was judged, now or before.
    follows : str or None
        Id of the run before this one; None if this is the first.
    waiting_rows, waiting_labelled_rows : int
        Rows that are there but too few to be judged; they are judged later, with those that come.
    maturity : Maturity
        How old a prediction must be for its outcome to count.
    cohort : Cohort
        All predictions of the time of those with outcomes.
    corrected_rows : int
        Outcomes that earlier runs judged, and that were corrected or withdrawn since the last one.
    selection : Selection or None
        Which of the outcomes that came may be learned from; None if all may.
    kept : ScoreSelection or None
        Of which answers these are; None if of all.
    leavers_only : bool
        Whether outcomes seem to be told of those who left only. Then they wait.
    aside : int
        Outcomes of weeks for which that is so, where it is not of a later one. They are passed over.
    before_seq : int
        Predictions numbered below it are earlier ones: with them, customers who come again are compared.
    """

    model_version: str
    rows: int
    current: pd.DataFrame
    parts: Callable[[], Iterable[pd.DataFrame]]
    labelled: pd.DataFrame
    last_seq: int
    last_outcome_seq: int
    mature_until: datetime = EPOCH
    follows: str | None = None
    waiting_rows: int = 0
    waiting_labelled_rows: int = 0
    maturity: Maturity = field(default_factory=lambda: Maturity(0.0, ""))
    cohort: Cohort = NO_COHORT
    corrected_rows: int = 0
    selection: Selection | None = None
    kept: ScoreSelection | None = None
    leavers_only: bool = False
    aside: int = 0
    before_seq: int = 0

    @property
    def customers(self) -> pd.DataFrame:
        """Of the held predictions, the newest of each customer, and those that name nobody."""
        return newest_per_customer(self.current)

    @property
    def labels(self) -> str:
        """What is to be known of the outcomes, in a sentence; empty if all count, at once, and none was wrong."""
        said = [self.maturity.reason] if self.maturity.seconds != 0 or self.maturity.too_short else []
        if said and self.cohort.unknown:
            said.append(f"{self.cohort}; {LEAVERS_ONLY}" if self.leavers_only else str(self.cohort))
        if self.aside:
            said.append(aside_in_words(self.aside))
        if self.corrected_rows:
            said.append(f"{self.corrected_rows} outcomes that were judged before have been corrected or withdrawn since")
        if self.selection is not None:
            said.append(str(self.selection))
        return "; ".join(said)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to judge."""
        return not self.rows and self.labelled.empty

    @property
    def answers(self) -> pd.DataFrame:
        """The judged predictions (or a sample of them); where too few are new, those with outcomes."""
        return self.current if self.rows else self.labelled

    @property
    def threshold(self) -> float | None:
        """The newest prediction's threshold; None if there is none."""
        return None if self.answers.empty else float(self.answers["threshold"].iloc[-1])

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """When the first and the last of the judged predictions were asked for; None if there are none."""
        moments = [part["requested_at"] for part in (self.current, self.labelled) if not part.empty]
        if not moments:
            return None
        return min(m.min() for m in moments).to_pydatetime(), max(m.max() for m in moments).to_pydatetime()

    def summary(self) -> WindowSummary:
        """Return the window without its rows."""
        first, last = self.span or (None, None)
        return WindowSummary(
            rows=self.rows,
            labelled_rows=len(self.labelled),
            waiting_rows=self.waiting_rows,
            waiting_labelled_rows=self.waiting_labelled_rows,
            first_requested_at=first,
            last_requested_at=last,
            last_seq=self.last_seq,
            last_outcome_seq=self.last_outcome_seq,
            mature_until=self.mature_until,
            maturity_seconds=self.maturity.seconds,
            labels=self.labels,
            corrected_rows=self.corrected_rows,
            aside_rows=0 if self.selection is None else self.selection.set_aside,
            effective_rows=None if self.selection is None else self.selection.effective,
            blind=self.selection is not None and self.selection.blind,
            leavers_only=self.leavers_only,
        )


def take_window(store: Store, contract: Contract, model_version: str, settings: Settings, now: datetime | None = None) -> Window:
    """Read what the monitor has not judged yet. Reads only: asking twice gives the same window.

    Predictions and outcomes have a cursor each, since outcomes arrive long after their predictions. A part with fewer rows
    than `min_window_rows` (`min_labelled_rows`) is left to accumulate, and its cursor stays. Of more than
    `max_window_rows` only the newest are judged, and the older ones are passed over for good.

    An outcome waits until its prediction is mature (`churn.store.maturity`). Each is judged once all the same: it is new if its
    number is, or if its prediction was too young before. A clock that went backwards makes outcomes wait, and none is judged
    twice. Outcomes are judged as they stand now: of those corrected after they were judged, their number is told. Those of
    customers who were acted on are passed over (`churn.store.treatment`).

    Parameters
    ----------
    store : Store
        Where the log is.
    contract : Contract
        The description of a customer.
    model_version : str
        Whose predictions are read.
    settings : Settings
        The sizes of windows, and how old a prediction must be for its outcome to count.
    now : datetime, optional
        With time zone; the present moment by default.

    Returns
    -------
    Window
        Empty where too little is new.

    Raises
    ------
    StoreError
        If the store is away.
    """
    before = next(iter(store.monitor_runs(model_version=model_version, limit=1)), None)
    start = START if before is None else Cursors(before.last_seq, before.last_outcome_seq, before.mature_until)
    span = store.find_span(model_version, after_seq=start.last_seq, newest=settings.max_window_rows)
    enough = span.rows >= settings.min_window_rows
    came = read_new_outcomes(store, settings, model_version, start.last_outcome_seq, start.mature_until, now or present())
    current = _hold(store, contract, model_version, span) if enough else empty_part(contract)
    end = _move(start, span if enough else None, came.rows if came.are_judged else None)

    def parts() -> Iterable[pd.DataFrame]:
        if span.rows <= MAX_HELD or not enough:
            return [newest_per_customer(current)]
        return iter_newest_per_customer(store.iter_predictions(contract, model_version, span, newest_first=True))

    return Window(
        model_version=model_version,
        rows=span.rows if enough else 0,
        current=current,
        parts=parts,
        labelled=came.judged,
        last_seq=end.last_seq,
        last_outcome_seq=end.last_outcome_seq,
        mature_until=end.mature_until,
        follows=None if before is None else before.run_id,
        waiting_rows=0 if enough else span.rows,
        waiting_labelled_rows=came.waiting,
        maturity=came.maturity,
        cohort=came.cohort,
        corrected_rows=0 if before is None else _corrected_since(store, before),
        selection=came.selection,
        kept=came.kept,
        leavers_only=came.leavers_only,
        aside=came.aside,
        before_seq=start.last_seq + 1 if start.last_seq else span.first_seq,
    )


def _hold(store: Store, contract: Contract, model_version: str, span: Span) -> pd.DataFrame:
    """Read the predictions of a span; of more than `MAX_HELD` about so many, evenly spread."""
    import pandas as pd

    share = min(1.0, MAX_HELD / span.rows)
    parts = store.iter_predictions(contract, model_version, span, share=share)
    return pd.concat([part for part in parts if len(part)] or [empty_part(contract)], ignore_index=True)


def _move(start: Cursors, span: Span | None, came: pd.DataFrame | None) -> Cursors:
    """Return how far a run comes that judges these predictions and outcomes; what is None is left to a later run."""
    end = start
    if span is not None:
        end = end._replace(last_seq=span.last_seq)
    if came is not None:
        end = end._replace(
            last_outcome_seq=max(int(came["outcome_seq"].max()), start.last_outcome_seq),
            mature_until=max(came["requested_at"].max().to_pydatetime(), start.mature_until),
        )
    return end


def _corrected_since(store: Store, before: MonitorRun) -> int:
    """Count the outcomes that a run (or one before it) judged, and that were corrected or withdrawn since it began."""
    return store.count_outcome_corrections(before.model_version, judged_seq=before.last_outcome_seq, since=before.started_at)
