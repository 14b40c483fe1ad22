"""Find the rows of one customer that wait on disk for the store."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from churn.store.records import PredictionRow
from service.prediction_log.spool_record import split_records
from service.prediction_log.spool_segment import BAD_SUFFIX, SUFFIX


def find_spooled(folder: Path, names: Collection[str]) -> list[PredictionRow]:
    """Return the rows of one customer in the spool, those that were set aside included. Nothing is changed.

    A row that reaches the store meanwhile may be found in both places.

    Parameters
    ----------
    folder : Path
        The spool's folder; it need not exist.
    names : collection of str
        The ids that stand for the customer: the plain one and its pseudonyms.

    Returns
    -------
    list of PredictionRow
    """
    found: list[PredictionRow] = []
    for path in sorted([*folder.glob(f"*{SUFFIX}"), *folder.glob(f"*{BAD_SUFFIX}")]):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # delivered meanwhile
            continue
        for _, _, rows in split_records(lambda start, length, data=data: data[start : start + length], 0, len(data)):  # type: ignore[misc]
            found += [row for row in rows or () if row.customer_id in names]
    return found
