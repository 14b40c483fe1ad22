"""What is new of the outcomes of one model version: which of them count, and whether they are enough to be judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from churn.config.settings import Settings
from churn.store.cohort import Cohort, whole_weeks
from churn.store.maturity import Maturity, label_maturity
from churn.store.store import Store
from churn.store.treatment.labels import selection_of
from churn.store.treatment.selection import Selection
from monitoring.performance.score_selection import ScoreSelection

if TYPE_CHECKING:
    import pandas as pd

NO_COHORT = Cohort()


@dataclass(frozen=True)
class NewOutcomes:
    """Outcomes of mature predictions that no run has judged.

    Attributes
    ----------
    rows : pandas.DataFrame
        They, as `Store.read_outcomes` gives them, but for weeks of which leavers alone are told; `churned` is missing where
        nothing may be learned from it.
    labelled : pandas.DataFrame
        Those that may be learned from.
    enough : bool
        Whether these are as many as a run needs.
    maturity : Maturity
        How old a prediction must be for its outcome to count.
    cohort : Cohort
        All predictions of the time of the rows, where these are enough.
    selection : Selection or None
        Which of the rows may be learned from; None if all may.
    leavers_only : bool
        Whether they seem to be told of those who left only. Then they wait.
    before_whole_week, after_whole_week : int
        Outcomes of weeks of which leavers alone are told: of those before the last other week, and of those after it.
    """

    rows: pd.DataFrame
    labelled: pd.DataFrame
    enough: bool
    maturity: Maturity
    cohort: Cohort
    selection: Selection | None
    leavers_only: bool
    before_whole_week: int
    after_whole_week: int

    @property
    def are_judged(self) -> bool:
        """Whether the run judges them; otherwise they wait for those that come."""
        return self.enough and not self.leavers_only

    @property
    def judged(self) -> pd.DataFrame:
        """Those that the run judges, perhaps none."""
        return self.labelled if self.are_judged else self.labelled.iloc[:0]

    @property
    def waiting(self) -> int:
        """How many a later run judges: all while there are too few, and those of weeks that may still become whole."""
        return self.after_whole_week + (0 if self.are_judged else len(self.labelled))

    @property
    def aside(self) -> int:
        """How many the run passes over: with those that it judges go the weeks before them that never became whole."""
        return self.before_whole_week if self.are_judged else 0

    @property
    def kept(self) -> ScoreSelection | None:
        """Of which answers campaigns left the outcomes; None if of all."""
        if self.selection is None:
            return None
        probability = self.rows["churn_probability"].to_numpy(dtype=np.float64)
        return ScoreSelection.of(probability, self.rows["churned"].notna().to_numpy(), float(self.rows["threshold"].iloc[-1]))


def read_new_outcomes(
    store: Store, settings: Settings, model_version: str, after_outcome_seq: int, mature_since: datetime, now: datetime
) -> NewOutcomes:
    """Read the outcomes that no run on a model version has judged.

    Parameters
    ----------
    store : Store
        Where the log is.
    settings : Settings
        How many are enough, how many the most, and how old a prediction must be for its outcome to count.
    model_version : str
        Whose predictions they are of.
    after_outcome_seq : int
        The number of the last outcome that the runs so far have come to.
    mature_since : datetime
        When the youngest prediction was asked for whose outcome they have judged: what was too young for them is new.
    now : datetime
        With time zone.

    Returns
    -------
    NewOutcomes

    Raises
    ------
    StoreError
        If the store is away.
    """
    maturity = label_maturity(store, settings.label_maturity_seconds, now)
    rows = store.read_outcomes(
        model_version,
        after_outcome_seq=after_outcome_seq,
        newest=settings.max_window_rows,
        mature=(mature_since, max(mature_since, maturity.until(now))),
        contact_effect=settings.contact_effect,
    )
    before = after = 0
    if maturity.seconds:
        rows, before, after = whole_weeks(rows, partial(store.count_cohort, model_version=model_version))
    selection = selection_of(rows)
    labelled = rows if selection is None else rows[rows["churned"].notna()].reset_index(drop=True)
    enough = len(labelled) >= settings.min_labelled_rows
    cohort = _cohort(store, model_version, rows) if maturity.seconds and enough else NO_COHORT
    leavers_only = cohort.told_of_leavers(labelled["churned"].to_numpy(), labelled["churn_probability"].to_numpy())
    return NewOutcomes(rows, labelled, enough, maturity, cohort, selection, leavers_only, before, after)


def _cohort(store: Store, model_version: str, rows: pd.DataFrame) -> Cohort:
    """Count all predictions of the time of labelled ones."""
    times = rows["requested_at"].min().to_pydatetime(), rows["requested_at"].max().to_pydatetime()
    seqs = int(rows["seq"].min()), int(rows["seq"].max())
    return store.count_cohort(seqs=seqs, times=times, model_version=model_version)
