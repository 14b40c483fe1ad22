"""Find the column that says which month, or day, a row of a file speaks of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from churn.contract_draft.column_profile import MIN_DATE_SHARE, ColumnProfile
from churn.contract_draft.number_texts import PLACEHOLDERS
from churn.data.row_time import read_time

# How such a column is named, the surest words first; without accents, as in `churn.contract_draft.naming`.
NAMES: tuple[frozenset[str], ...] = (
    frozenset({"snapshot", "asof", "observation", "observed", "reference", "cutoff", "stichtag", "corte"}),
    frozenset({"reporting", "report", "extract", "extraction", "scoring", "berichtsmonat"}),
    frozenset({"month", "yearmonth", "yyyymm", "period", "cycle", "billing", "invoice", "monat", "abrechnungsmonat", "mois"}),
    frozenset({"mes", "mese", "periodo", "periode", "abrechnung", "rechnung"}),
    frozenset({"date", "datum", "fecha", "data", "day", "timestamp"}),
)
# What happened to the customer at some time is not when the row was written.
EVENTS = frozenset(
    {
        *("start", "started", "begin", "since", "from", "end", "ends", "until", "expiry", "expires", "expiration"),
        *("birth", "dob", "signup", "join", "joined", "joining", "activation", "activated", "opened", "opening", "created"),
        *("creation", "install", "first", "last", "next", "previous", "renewal", "renewed", "cancel", "cancelled", "churn"),
        *("closed", "termination", "contract", "purchase", "payment", "paid", "due", "complaint", "call", "upgrade"),
        *("registration", "registered", "seit", "ende", "geburt", "vertrag", "kundigung", "debut", "fin", "naissance"),
        *("inicio", "nacimiento", "alta", "baja"),
    }
)
# Fewer months are one export's, and say nothing of time.
MIN_MONTHS = 3


@dataclass(frozen=True)
class RowTimes:
    """A column that says when.

    Attributes
    ----------
    source : str
        The file's name of it.
    months : tuple of str
        Those it covers, such as 2026-03, in order.
    missing : tuple of str
        Texts that name no time, beside the usual ones.
    """

    source: str
    months: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """Why it is taken for one, and what it does."""
        return (
            f"the time a row speaks of, by its name and values ({len(self.months)} months, {self.months[0]} to "
            f"{self.months[-1]}): no feature; the monitor learns from it what months usually do, and the scorecard says quality "
            "by month. If it is when something happened to the customer, give it role: ignored"
        )


def names_row_time(profile: ColumnProfile) -> bool:
    """Return whether the name is that of a row's time: snapshot_date, billing month, as_of."""
    return _rank(profile) < len(NAMES)


def find_row_times(profiles: Iterable[ColumnProfile]) -> RowTimes | None:
    """Choose the column that says which time each row speaks of: by its name, and since every cell names one.

    Parameters
    ----------
    profiles : iterable of ColumnProfile

    Returns
    -------
    RowTimes or None
        Of several the one with the surest name; None where no column has both, over three months at least.
    """
    for profile in sorted((one for one in profiles if names_row_time(one)), key=_rank):
        if (found := _read(profile)) is not None and len(found.months) >= MIN_MONTHS:
            return found
    return None


def _rank(profile: ColumnProfile) -> int:
    words = set(profile.words)
    if {"as", "of"} <= words:
        words.add("asof")
    if words & EVENTS:
        return len(NAMES)
    # Of more words a plain "date" or "day" is one of something else.
    ranks = [rank for rank, names in enumerate(NAMES) if words & names and (rank < len(NAMES) - 1 or len(words) == 1)]
    return ranks[0] if ranks else len(NAMES)


def _read(profile: ColumnProfile) -> RowTimes | None:
    """Read all cells; None if one is no time."""
    missing = tuple(sorted(text for text in profile.counts if text.lower() in PLACEHOLDERS))
    times = set()
    for text in profile.counts:
        try:
            times.add(read_time(text, missing))
        except ValueError:
            return None
    rows = sum(count for text, count in profile.counts.items() if text not in missing)
    if rows < MIN_DATE_SHARE * sum(profile.counts.values()):
        return None
    months = sorted({f"{time:%Y-%m}" for time in times if time is not None})
    return RowTimes(profile.source, tuple(months), missing)
