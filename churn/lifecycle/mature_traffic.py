"""The labelled traffic that training and the gate may learn from: predictions whose outcomes are mature."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from churn.contract import Contract
from churn.store.maturity import Maturity, label_maturity
from churn.store.predictions.cohort import Cohort
from churn.store.store import Store

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class MatureTraffic:
    """Labelled predictions, with what is to be known of their labels.

    Attributes
    ----------
    rows : pandas.DataFrame
        As `Store.read_predictions` gives them.
    maturity : Maturity
        By which they were chosen.
    cohort : Cohort
        All predictions of the same time, with and without an outcome.
    until : datetime
        Predictions requested later were left out.
    """

    rows: pd.DataFrame
    maturity: Maturity
    cohort: Cohort
    until: datetime

    def __str__(self) -> str:
        """Return in a sentence what was left out, and why."""
        return f"{self.maturity.reason}; {self.cohort}" if self.cohort.unknown else self.maturity.reason

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
        }


def read_mature_traffic(store: Store, contract: Contract, setting: float | None, *, newest: int, now: datetime) -> MatureTraffic:
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
    rows = store.read_predictions(contract, after_outcome_seq=0, mature_until=until, newest=newest)
    if rows.empty:
        return MatureTraffic(rows, maturity, Cohort(), until)
    times = rows["requested_at"].min().to_pydatetime(), rows["requested_at"].max().to_pydatetime()
    cohort = store.count_cohort(seqs=(int(rows["seq"].min()), int(rows["seq"].max())), times=times)
    return MatureTraffic(rows, maturity, cohort, until)
