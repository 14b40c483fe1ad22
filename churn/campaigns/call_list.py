"""The list of a campaign: whom to call, in which order, and why. The same cells in every format, and from the page."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from churn.customers.spreadsheet import safe_text

_FIRST = ("rank", "customer_id", "churn_probability", "value", "expected_gain")
SEGMENT, REASONS = "segment", "reasons"
ENDINGS = (".csv", ".parquet")
# Reasons of a customer at most: more is not read on the telephone.
MAX_REASONS = 3
PIECE_ROWS = 10_000


@dataclass(frozen=True)
class Call:
    """A line of the list.

    Attributes
    ----------
    customer_id : str
    churn_probability : float
        In [0, 1], to six digits.
    value, expected_gain : float
        In the currency of params.yaml, to cents.
    reasons : str
        What raises the risk, strongest first, in words; empty if the model cannot say.
    segment : str or None
        The group that the customer belongs to, by the reasons of the answer; None if the model knows no segments.
    """

    customer_id: str
    churn_probability: float
    value: float
    expected_gain: float
    reasons: str
    segment: str | None = None

    @classmethod
    def of(
        cls,
        customer_id: str,
        probability: float,
        value: float,
        gain: float,
        reasons: Sequence[str],
        segment: str | None = None,
    ) -> Call:
        """Round what is written.

        Parameters
        ----------
        customer_id : str
        probability, value, gain : float
        reasons : sequence of str
        segment : str, optional

        Returns
        -------
        Call
        """
        return cls(customer_id, round(probability, 6), round(value, 2), round(gain, 2), "; ".join(reasons), segment)


def columns(*, segment: bool) -> tuple[str, ...]:
    """Return the columns of a list; that of segments only where the model knows some."""
    return (*_FIRST, *((SEGMENT,) if segment else ()), REASONS)


def csv_header(*, segment: bool) -> str:
    """Return the first line of a list in CSV."""
    return ",".join(columns(segment=segment)) + "\n"


def csv_line(call: Call) -> str:
    """Return a line of a list in CSV but for its rank; no text in it is a formula to a spreadsheet.

    Examples
    --------
    >>> csv_line(Call("=1+1", 0.5, 200.0, 22.5, "state is NJ: raises the risk")).rstrip()
    "'=1+1,0.5,200.0,22.5,state is NJ: raises the risk"
    >>> csv_line(Call("c-1", 0.5, 200.0, 22.5, "", "typical")).rstrip()
    'c-1,0.5,200.0,22.5,typical,'
    """
    text = StringIO(newline="")
    numbers = (call.churn_probability, call.value, call.expected_gain)
    words = (call.reasons,) if call.segment is None else (call.segment, call.reasons)
    csv.writer(text, lineterminator="\n").writerow((safe_text(call.customer_id), *numbers, *map(safe_text, words)))
    return text.getvalue()


def write_list(path: Path, ending: str, pieces: Iterator[Sequence[Call]], *, segment: bool) -> None:
    """Write a list, piece by piece.

    Parameters
    ----------
    path : Path
        The file to write to.
    ending : str
        One of `ENDINGS`: the format.
    pieces : iterator of sequence of Call
        In the order of the ranks.
    segment : bool
        Whether the calls have segments.
    """
    if ending == ".parquet":
        _write_parquet(path, pieces, columns(segment=segment))
        return
    rank = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(csv_header(segment=segment))
        for piece in pieces:
            file.writelines(f"{rank + at},{csv_line(call)}" for at, call in enumerate(piece, 1))
            rank += len(piece)


def _write_parquet(path: Path, pieces: Iterator[Sequence[Call]], names: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = dict.fromkeys(names, pa.float64()) | {"rank": pa.int64(), "customer_id": pa.string()}
    kinds |= {name: pa.string() for name in names if name in (SEGMENT, REASONS)}
    schema = pa.schema([pa.field(name, kind, nullable=False) for name, kind in kinds.items()])
    rank = 0
    with pq.ParquetWriter(path, schema, compression="snappy", store_schema=False) as writer:
        for piece in pieces:
            rows: list[dict[str, Any]] = [{"rank": rank + at, **vars(call)} for at, call in enumerate(piece, 1)]
            writer.write_table(pa.Table.from_pylist(rows, schema))
            rank += len(piece)
