"""What is new of one model version since it was last judged: predictions, and what came true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from churn.contract import Contract
from churn.records import EPOCH
from churn.records import now as present
from churn.settings import Settings
from churn.store import Store


@dataclass(frozen=True)
class Window:
    """The part of the prediction log that one look judges.

    Attributes
    ----------
    current : pandas.DataFrame
        Predictions not judged before, as `Store.read_predictions` gives them; no rows while there are too few.
    labelled : pandas.DataFrame
        Predictions whose outcome was not judged before (the prediction itself may have been); no rows while there are too few.
    last_seq, last_outcome_seq : int
        How far this look comes in the store's numbering. Where nothing is judged, it stays where the last look left it.
    mature_until : datetime
        When the youngest prediction was asked for whose outcome was judged, now or before.
    waiting_rows, waiting_labelled_rows : int
        Rows that are there but too few to be judged; they are judged later, with those that come.
    """

    model_version: str
    current: pd.DataFrame
    labelled: pd.DataFrame
    last_seq: int
    last_outcome_seq: int
    mature_until: datetime = EPOCH
    waiting_rows: int = 0
    waiting_labelled_rows: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to judge."""
        return self.current.empty and self.labelled.empty

    @property
    def answers(self) -> np.ndarray:
        """Probabilities of the judged predictions, shape (n,); where too few are new, of those whose outcome is."""
        part = self.labelled if self.current.empty else self.current
        return part["churn_probability"].to_numpy(dtype=np.float64)

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """When the first and the last of the judged predictions were asked for; None if there are none."""
        moments = [part["requested_at"] for part in (self.current, self.labelled) if not part.empty]
        if not moments:
            return None
        return min(m.min() for m in moments).to_pydatetime(), max(m.max() for m in moments).to_pydatetime()


def take_window(store: Store, contract: Contract, model_version: str, settings: Settings, now: datetime | None = None) -> Window:
    """Read what the monitor has not judged yet. Reads only: asking twice gives the same window.

    Predictions and outcomes have a cursor each, since outcomes arrive long after their predictions. A part with fewer rows
    than `min_window_rows` (`min_labelled_rows`) is left to accumulate, and its cursor stays. Of more than
    `max_window_rows` only the newest are judged, and the older ones are passed over for good.

    With `label_maturity_seconds` an outcome waits until its prediction is that old. Who leaves says so at once, who stays is
    known only at the end: among young predictions those with an outcome have left, and any model would look wrong. Each
    outcome is judged once all the same: it is new if its number is, or if its prediction was too young before. A clock that
    went backwards makes outcomes wait, and none is judged twice.

    Raises
    ------
    StoreError
        If the store is away.
    """
    runs = store.monitor_runs(model_version=model_version, limit=1)
    last_seq, last_outcome_seq = (runs[0].last_seq, runs[0].last_outcome_seq) if runs else (0, 0)
    mature_until = runs[0].mature_until if runs else EPOCH
    maturity = timedelta(seconds=settings.label_maturity_seconds)
    mature = (mature_until, max(mature_until, (now or present()) - maturity)) if maturity else None
    newest = settings.max_window_rows
    current = store.read_predictions(contract, model_version=model_version, after_seq=last_seq, newest=newest)
    labelled = store.read_predictions(
        contract, model_version=model_version, after_outcome_seq=last_outcome_seq, mature=mature, newest=newest
    )
    enough, enough_labelled = len(current) >= settings.min_window_rows, len(labelled) >= settings.min_labelled_rows
    return Window(
        model_version=model_version,
        current=current if enough else current.iloc[:0],
        labelled=labelled if enough_labelled else labelled.iloc[:0],
        last_seq=int(current["seq"].max()) if enough else last_seq,
        last_outcome_seq=max(int(labelled["outcome_seq"].max()), last_outcome_seq) if enough_labelled else last_outcome_seq,
        mature_until=max(labelled["requested_at"].max().to_pydatetime(), mature_until) if enough_labelled else mature_until,
        waiting_rows=0 if enough else len(current),
        waiting_labelled_rows=0 if enough_labelled else len(labelled),
    )
