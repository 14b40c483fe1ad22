"""The labelled traffic that training and the gate may learn from: predictions whose outcomes are mature."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from churn.contract import Contract
from churn.store.cohort import LEAVERS_ONLY, Cohort, aside_in_words, told_of_leavers
from churn.store.maturity import Maturity, label_maturity
from churn.store.store import Store
from churn.store.treatment.labels import selection_of
from churn.store.treatment.marks import CONTACT_EFFECT
from churn.store.treatment.selection import Selection

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class MatureTraffic:
    """Labelled predictions, with what is to be known of their labels.

    Attributes
    ----------
    rows : pandas.DataFrame
        As `Store.read_predictions` gives them: where customers were acted on, with weights.
    maturity : Maturity
        By which they were chosen.
    cohort : Cohort
        All predictions of the same time, with and without an outcome.
    until : datetime
        Predictions requested later were left out.
    selection : Selection or None
        What of them may be learned from; None if nobody was acted on.
    leavers_only : bool
        Whether outcomes seem to be told of those who left only (`Cohort.told_of_leavers`). Then there are no rows.
    aside : int
        Outcomes of weeks for which that is so, where it is not of others: they are not among the rows.
    """

    rows: pd.DataFrame
    maturity: Maturity
    cohort: Cohort
    until: datetime
    selection: Selection | None = None
    leavers_only: bool = False
    aside: int = 0

    @property
    def doubtful(self) -> bool:
        """Whether somebody should look: the age is too short, leavers alone are told, or nobody stands for who was acted on."""
        alone = self.leavers_only or self.aside > 0
        return self.maturity.too_short or alone or (self.selection is not None and self.selection.blind)

    def __str__(self) -> str:
        """Return in a sentence what was left out, and why."""
        said = [self.maturity.reason]
        said += [str(self.cohort)] if self.cohort.unknown else []
        said += [LEAVERS_ONLY] if self.leavers_only else []
        said += [aside_in_words(self.aside)] if self.aside else []
        return "; ".join(said if self.selection is None else [*said, str(self.selection)])

    def report(self) -> dict[str, Any]:
        """Return everything but the rows, JSON-ready."""
        return {
            "maturity_seconds": self.maturity.seconds,
            "too_short": self.maturity.too_short,
            "mature_until": self.until.isoformat(),
            "predictions": self.cohort.predictions,
            "labelled": self.cohort.labelled,
            "unknown": self.cohort.unknown,
            "sentence": str(self),
        } | ({} if self.selection is None else self.selection.report())


def read_mature_traffic(
    store: Store,
    contract: Contract,
    setting: float | None,
    *,
    newest: int,
    now: datetime,
    contact_effect: timedelta = CONTACT_EFFECT,
) -> MatureTraffic:
    """Read labelled predictions that are old enough for their outcomes to count; the newest, however many years there are.

    Parameters
    ----------
    store : Store
    contract : Contract
        Names the features.
    setting : float or None
        `Settings.label_maturity_seconds`.
    newest : int
        At most so many.
    now : datetime
        With time zone.
    contact_effect : timedelta
        How long a contact may change what a customer does.

    Returns
    -------
    MatureTraffic

    Raises
    ------
    StoreError
        If the store is away.
    """
    maturity = label_maturity(store, setting, now)
    until = maturity.until(now)
    rows = store.read_predictions(contract, after_outcome_seq=0, mature_until=until, newest=newest, contact_effect=contact_effect)
    if rows.empty:
        return MatureTraffic(rows, maturity, Cohort(), until)
    times = rows["requested_at"].min().to_pydatetime(), rows["requested_at"].max().to_pydatetime()
    cohort = store.count_cohort(seqs=(int(rows["seq"].min()), int(rows["seq"].max())), times=times)
    if not maturity.seconds:
        return MatureTraffic(rows, maturity, cohort, until, selection_of(rows))
    told = told_of_leavers(rows, store.count_cohort)
    if told.all() or cohort.told_of_leavers(rows["churned"].to_numpy(), rows["churn_probability"].to_numpy()):
        return MatureTraffic(rows.iloc[:0], maturity, cohort, until, leavers_only=True)
    rows = rows[~told].reset_index(drop=True)
    return MatureTraffic(rows, maturity, cohort, until, selection_of(rows), aside=int(told.sum()))
