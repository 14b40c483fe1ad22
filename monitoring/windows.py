"""What is new of one model version since it was last judged: predictions, and what came true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from churn.contract import Contract
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
    waiting_rows, waiting_labelled_rows : int
        Rows that are there but too few to be judged; they are judged later, with those that come.
    """

    model_version: str
    current: pd.DataFrame
    labelled: pd.DataFrame
    last_seq: int
    last_outcome_seq: int
    waiting_rows: int = 0
    waiting_labelled_rows: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to judge."""
        return self.current.empty and self.labelled.empty

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """When the first and the last of the judged predictions were asked for; None if there are none."""
        moments = [part["requested_at"] for part in (self.current, self.labelled) if not part.empty]
        if not moments:
            return None
        return min(m.min() for m in moments).to_pydatetime(), max(m.max() for m in moments).to_pydatetime()


def take_window(store: Store, contract: Contract, model_version: str, settings: Settings) -> Window:
    """Read what the monitor has not judged yet. Reads only: asking twice gives the same window.

    Predictions and outcomes have a cursor each, since outcomes arrive long after their predictions. A part with fewer rows
    than `min_window_rows` (`min_labelled_rows`) is left to accumulate, and its cursor stays. Of more than
    `max_window_rows` only the newest are judged, and the older ones are passed over for good.

    Raises
    ------
    StoreError
        If the store is away.
    """
    runs = store.monitor_runs(model_version=model_version, limit=1)
    last_seq, last_outcome_seq = (runs[0].last_seq, runs[0].last_outcome_seq) if runs else (0, 0)
    newest = settings.max_window_rows
    current = store.read_predictions(contract, model_version=model_version, after_seq=last_seq, newest=newest)
    labelled = store.read_predictions(contract, model_version=model_version, after_outcome_seq=last_outcome_seq, newest=newest)
    enough, enough_labelled = len(current) >= settings.min_window_rows, len(labelled) >= settings.min_labelled_rows
    return Window(
        model_version=model_version,
        current=current if enough else current.iloc[:0],
        labelled=labelled if enough_labelled else labelled.iloc[:0],
        last_seq=int(current["seq"].max()) if enough else last_seq,
        last_outcome_seq=int(labelled["outcome_seq"].max()) if enough_labelled else last_outcome_seq,
        waiting_rows=0 if enough else len(current),
        waiting_labelled_rows=0 if enough_labelled else len(labelled),
    )
