"""A window without its rows: what a run result keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from churn.store.records import EPOCH


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSummary:
    """A window without its rows.

    Attributes
    ----------
    rows, labelled_rows : int
        Predictions and outcomes that are judged; 0 while there are too few.
    waiting_rows, waiting_labelled_rows : int
        Predictions and outcomes that are there but too few to be judged.
    first_requested_at, last_requested_at : datetime or None
        When the first and the last of the judged predictions were asked for; None if there are none.
    last_seq, last_outcome_seq : int
        How far the run comes in the store's numbering; the next run starts after them.
    mature_until : datetime
        When the youngest prediction was asked for whose outcome was judged, by this run or those before.
    maturity_seconds : float or None
        How old a prediction had to be for its outcome to count; None if that could not be known yet, and none counted.
    labels : str
        Why, how many predictions as old as those judged have no outcome, and how many outcomes that were judged before are wrong.
    corrected_rows : int
        Outcomes that earlier runs judged, and that were corrected or withdrawn since the last one. Those runs stand.
    aside_rows : int
        Outcomes that came and were not judged, since their customers were acted on, or might have been.
    effective_rows : float or None
        Effective sample size of those that were judged, some of which stand for others; None if each stands for itself.
    blind : bool
        Whether nobody stands for some whom a model named, so that it can no longer be known how good it is.
    leavers_only : bool
        Whether outcomes seem to be told of those who left only, so that none was judged.
    """

    rows: int
    labelled_rows: int
    waiting_rows: int = 0
    waiting_labelled_rows: int = 0
    first_requested_at: datetime | None = None
    last_requested_at: datetime | None = None
    last_seq: int = 0
    last_outcome_seq: int = 0
    mature_until: datetime = EPOCH
    maturity_seconds: float | None = 0.0
    labels: str = ""
    corrected_rows: int = 0
    aside_rows: int = 0
    effective_rows: float | None = None
    blind: bool = False
    leavers_only: bool = False
