"""Read the time that each row of a file speaks of: a month, a day or a moment."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import pandas as pd

from churn.customers.cell_rule import MISSING_TEXTS

# The column of a monitor's reference that names the month of each row, such as 2026-03; None where it is not known.
MONTH = "requested_month"
WANTED = "must be a month, a day or a moment, such as 2026-03, 2026-03-31 or 2026-03-31T08:00:00Z"
_MONTH = re.compile(r"([0-9]{4})-?([0-9]{2})")
_MAX_LENGTH = 40
# Before and after these, a frame holds no time, and no file speaks of one.
_FIRST, _LAST = 1900, 2200


def read_time(cell: Any, missing: Collection[str] = ()) -> datetime | None:
    """Return the time that a cell names, in UTC, None where it names none.

    A time without a zone is in UTC. A month is its first day, a day its first moment.

    Parameters
    ----------
    cell : object
        A text in ISO 8601 (a month also as 202603), or a date or time of a typed format.
    missing : collection of str
        Texts that mean no time, beside the usual ones.

    Returns
    -------
    datetime or None

    Raises
    ------
    ValueError
        With the rule that the cell breaks.

    Examples
    --------
    >>> [read_time(cell).isoformat()[:13] for cell in ("2026-03", 202603, "2026-03-31", "2026-03-31T01:00:00+02:00")]
    ['2026-03-01T00', '2026-03-01T00', '2026-03-31T00', '2026-03-30T23']
    >>> read_time("31.3.2026")
    Traceback (most recent call last):
    ValueError: must be a month, a day or a moment, such as 2026-03, 2026-03-31 or 2026-03-31T08:00:00Z
    """
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        cell = f"{cell:.0f}" if float(cell).is_integer() else str(cell)
    if isinstance(cell, str):
        text = cell[: _MAX_LENGTH + 1].strip()
        if text.lower() in MISSING_TEXTS or text in missing:
            return None
        found = _read_text(text)
    elif cell is None or cell is pd.NaT:
        return None
    elif isinstance(cell, datetime):
        found = cell
    elif isinstance(cell, date):
        found = datetime.combine(cell, time())
    else:
        raise ValueError(WANTED)
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
    if not _FIRST < found.year < _LAST:
        raise ValueError(WANTED)
    return found.astimezone(UTC)


def as_times(times: pd.Series) -> pd.Series:
    """Return times as a column of a frame: microseconds in UTC, as the log has them; NaT where there is none."""
    return pd.to_datetime(times, utc=True).astype("datetime64[us, UTC]")


def months_of(times: pd.Series) -> pd.Series:
    """Return the months of times, as 2026-03, in UTC; None where there is none."""
    months: pd.Series = times.dt.strftime("%Y-%m").astype(object).where(times.notna(), None)
    return months


def join_times(rows: int, known: pd.Series | None, later: pd.Series) -> pd.Series:
    """Return the times of rows of which little may be known, followed by those of later ones.

    Parameters
    ----------
    rows : int
        How many there are of the first.
    known : pandas.Series of datetime64, shape (rows,), or None
        Their times; None if no row's is known.
    later : pandas.Series of datetime64, shape (n,)

    Returns
    -------
    pandas.Series of datetime64, shape (rows + n,)
        NaT where nothing is known.
    """
    all_rows = range(rows + len(later))
    times = later.set_axis(np.arange(rows, rows + len(later))).reindex(all_rows)
    return times if known is None else times.where(times.notna(), known.reindex(all_rows))


def _read_text(text: str) -> datetime:
    month = _MONTH.fullmatch(text)
    try:
        return datetime.fromisoformat(f"{month[1]}-{month[2]}-01" if month else text)
    except ValueError:
        raise ValueError(WANTED) from None
