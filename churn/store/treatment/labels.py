"""Labelled predictions of which only what may be learned from is given: the one way from stored outcomes to whoever learns."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from churn.store.treatment.marks import has_contacts, read_marks
from churn.store.treatment.selection import Selection, select

if TYPE_CHECKING:
    import pandas as pd


def learnable(connection: sa.Connection, rows: pd.DataFrame, contact_effect: timedelta) -> pd.DataFrame:
    """Return labelled predictions with what may be learned from each.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    rows : pandas.DataFrame, shape (n, m)
        At least the columns requested_at, churn_probability, churned and outcome_seq; those without an outcome have NaN there.
    contact_effect : timedelta
        How long a contact may change what a customer does.

    Returns
    -------
    pandas.DataFrame, shape (n, m) or (n, m + 3)
        The same frame if nobody was acted on. Else with the columns acted_on and held_out (`churn.store.treatment.marks.Marks`)
        and weight (`churn.store.treatment.selection.Selection`); churned is NaN where the weight is 0.
    """
    known = np.flatnonzero(rows["outcome_seq"].notna().to_numpy())
    if not len(known) or not has_contacts(connection):
        return rows
    marks = read_marks(connection, rows["outcome_seq"].iloc[known].astype("int64").tolist(), contact_effect)
    if not marks.acted_on.any():
        return rows
    added = {"acted_on": np.zeros(len(rows)), "held_out": np.full(len(rows), np.nan), "weight": np.zeros(len(rows))}
    added["acted_on"][known], added["held_out"][known] = marks
    marked = rows.assign(**added)
    found = _select(marked.iloc[known])
    if found is None:
        return rows
    added["weight"][known] = found.weight
    return marked.assign(weight=added["weight"], churned=rows["churned"].where(added["weight"] != 0))


def selection_of(rows: pd.DataFrame) -> Selection | None:
    """Return what was set aside of rows that `learnable` gave, all of them.

    Parameters
    ----------
    rows : pandas.DataFrame

    Returns
    -------
    Selection or None
        None if nobody was acted on.
    """
    return _select(rows[rows["outcome_seq"].notna()]) if "weight" in rows else None


def _select(rows: pd.DataFrame) -> Selection | None:
    return select(
        rows["acted_on"].to_numpy(dtype=np.bool_),
        rows["held_out"].to_numpy(dtype=np.float64),
        rows["requested_at"].dt.tz_convert(None).to_numpy(dtype="datetime64[us]"),
        rows["churn_probability"].to_numpy(dtype=np.float64),
    )
