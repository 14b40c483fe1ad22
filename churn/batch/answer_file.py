"""The file of a part's answers, and that of the customers who got none: each is there whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from churn.atomic_write import atomic_write
from churn.batch.answers import REJECTED_SCHEMA, Answers
from churn.batch.plan import Part
from churn.customers.column_names import CUSTOMER_ID
from churn.errors import ChurnError
from churn.one_line import one_line

REJECTED = "_rejected"
METADATA = b"churn.scored"
COMPRESSION = "snappy"
# Columns that repeat: each costs a few bytes a part.
SEGMENT = "segment"
REPEATED = ["action", "threshold", "model_version", SEGMENT]


class Stopped(ChurnError):
    """Somebody asked to stop; the part that was in work is not there."""


@dataclass(frozen=True)
class Done:
    """What came of a part.

    Attributes
    ----------
    fingerprint : str
        The part's own.
    rows, rejected, churn : int
        Rows read; of those, set apart; and answered as churn.
    """

    fingerprint: str
    rows: int
    rejected: int
    churn: int

    @property
    def scored(self) -> int:
        """Rows that were answered."""
        return self.rows - self.rejected


def write_answers(part: Part, schema: Any, folder: Path, answers: Iterator[Answers], stop: Event | None) -> Done:
    """Write the answers of a part as they come.

    Parameters
    ----------
    part : Part
    schema : pyarrow.Schema
        Of the answers.
    folder : Path
        The output folder.
    answers : iterator of Answers
    stop : threading.Event or None
        Once it is set, the part is given up.

    Returns
    -------
    Done

    Raises
    ------
    ChurnError
        If they cannot be written.
    Stopped
    """
    target, apart = folder / part.output, folder / REJECTED / part.output
    rows = rejected = churn = 0
    # What was set apart is there before the answers are.
    with (
        whole_file(target, folder) as staging,
        _SetApart(apart, folder) as others,
        pq.ParquetWriter(
            staging, schema, compression=COMPRESSION, use_dictionary=REPEATED, write_statistics=[CUSTOMER_ID], store_schema=False
        ) as writer,
    ):
        for piece in answers:
            if stop is not None and stop.is_set():
                raise Stopped("stopped")
            writer.write_batch(piece.batch)
            rows, churn = rows + piece.rows, churn + piece.churn
            if piece.rejected is not None:
                rejected += piece.rejected.num_rows
                others.write(piece.rejected)
        done = Done(part.fingerprint, rows, rejected, churn)
        writer.add_key_value_metadata({METADATA: orjson.dumps(asdict(done))})
    return done


class _SetApart(ExitStack):
    """The file of a part's customers who are set apart; without any, what an earlier run wrote is taken away.

    They are written as they come: in a file of which each row breaks a rule, they are as many as its rows.
    """

    def __init__(self, target: Path, within: Path) -> None:
        super().__init__()
        self._target, self._within = target, within
        self._writer: Any = None
        target.unlink(missing_ok=True)

    def write(self, batch: Any) -> None:
        """Add some."""
        if self._writer is None:
            staging = self.enter_context(whole_file(self._target, self._within))
            self._writer = self.enter_context(pq.ParquetWriter(staging, REJECTED_SCHEMA, compression=COMPRESSION))
        self._writer.write_batch(batch)


@contextmanager
def whole_file(target: Path, within: Path | None = None) -> Iterator[Path]:
    """Give a name to write to; what was written there gets the name `target` when it is whole and on the disk.

    Parameters
    ----------
    target : Path
    within : Path, optional
        The folder below which folders may be made. It is not made itself: when a run has failed and its folder is gone, a worker
        that has not heard of it yet does not bring it back.

    Yields
    ------
    Path

    Raises
    ------
    ChurnError
        If it cannot be written.
    """
    try:
        if within is not None:
            for inner in reversed(target.relative_to(within).parents[:-1]):
                (within / inner).mkdir(exist_ok=True)
        with atomic_write(target) as staging:
            yield staging
    except OSError as error:
        raise ChurnError(f"{target}: cannot be written ({error.strerror or one_line(error)})") from error


def read_done(file: Path) -> Done | None:
    """Tell what a file of answers says of itself; None if it is none, or is not whole."""
    try:
        said = (pq.read_metadata(file).metadata or {}).get(METADATA)
        return None if said is None else Done(**orjson.loads(said))
    except (pa.ArrowException, OSError, ValueError, TypeError):
        return None
