"""One part from customers to answers: read, judged, scored, and written under its name only when it is whole."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from churn.atomic_write import atomic_write
from churn.batch.answers import Answering, Answers, answer_schema
from churn.batch.lanes import in_order
from churn.batch.model import Scorer, code_digest, scorer_of
from churn.batch.pieces import Piece, ReadPiece
from churn.batch.plan import Part, Terms
from churn.batch.reader import open_part
from churn.customers.column_names import CUSTOMER_ID
from churn.errors import ChurnError, InputError
from churn.one_line import one_line

REJECTED = "_rejected"
METADATA = b"churn.scored"
COMPRESSION = "snappy"
# Columns that repeat: each costs a few bytes a part.
REPEATED = ["threshold", "model_version"]
_UNREADABLE = (pa.ArrowException, csv.Error, zlib.error, OSError, EOFError, ValueError)


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


def score_part(model: bytes, part: bytes, terms: dict[str, Any], folder: str, code: str) -> dict[str, Any]:
    """Score a part somewhere else: everything comes and goes as plain data. An error of ours is an answer.

    Parameters
    ----------
    model, part : bytes
        `ScoringModel.to_json` and `Part.to_json`.
    terms : dict
        The fields of `Terms`.
    folder : str
        The output folder, as this machine sees it.
    code : str
        `code_digest` of who asks: other code might answer otherwise.

    Returns
    -------
    dict
        The fields of `Done`; or `error` and `exit_code`.
    """
    if code != code_digest():
        problem = "a worker has another version of churn (or of NumPy) than this machine; install the same on all"
        return {"error": problem, "exit_code": 1}
    return attempt(scorer_of(model), Part.from_json(part), Terms(**terms), Path(folder))


def attempt(scorer: Scorer, part: Part, terms: Terms, folder: Path, stop: Event | None = None, lanes: int = 1) -> dict[str, Any]:
    """Score a part, and turn an error of ours into plain data.

    Parameters
    ----------
    scorer, part, terms, folder, stop, lanes
        As for `write_part`.

    Returns
    -------
    dict
        The fields of `Done`; or `error` and `exit_code`.
    """
    try:
        return asdict(write_part(scorer, part, terms, folder, stop, lanes))
    except ChurnError as error:
        return {"error": str(error), "exit_code": error.exit_code}


def write_part(scorer: Scorer, part: Part, terms: Terms, folder: Path, stop: Event | None = None, lanes: int = 1) -> Done:
    """Score a part into the output folder: its file is there whole, or not at all.

    Parameters
    ----------
    scorer : Scorer
    part : Part
    terms : Terms
    folder : Path
        The output folder.
    stop : threading.Event, optional
        Once it is set, the part is given up.
    lanes : int
        Threads that read and score pieces of it, beside the one that fetches and writes them; 1: that one does all.

    Returns
    -------
    Done

    Raises
    ------
    ContractError
        If a customer breaks a rule, unless such are skipped. It names the file, the row, the column and the rule.
    InputError
        If the file cannot be read, or is not the one that was looked at.
    ChurnError
        If the answers cannot be written.
    Stopped
    """
    source = Path(part.path)
    with ExitStack() as stack:
        with _reading(source):
            stat = source.stat()
            if (stat.st_size, stat.st_mtime_ns) != (part.size, part.mtime_ns):
                raise InputError(f"{source}: was changed since the scoring began (or is another file on a worker); start again")
            reading = stack.enter_context(open_part(part, scorer.rules, terms))
        answering = Answering(scorer, part, terms, answer_schema(reading.id_type))
        answers = in_order(answering.answer, _readable(reading.pieces, source), lanes)
        return _write(answering, folder, stack.enter_context(closing(answers)), stop)


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise InputError(f"{source}: not readable ({one_line(error, 200)})") from error


def _readable(pieces: Iterator[ReadPiece], source: Path) -> Iterator[ReadPiece]:
    """Only the reading: an error of who reads is none of the file's."""

    def read(piece: ReadPiece) -> Piece:
        with _reading(source):
            return piece()

    while True:
        with _reading(source):
            piece = next(pieces, None)
        if piece is None:
            return
        yield partial(read, piece)


def _write(answering: Answering, folder: Path, answers: Iterator[Answers], stop: Event | None) -> Done:
    part = answering.part
    target, apart = folder / part.output, folder / REJECTED / part.output
    rows = churn = 0
    rejected: list[Any] = []
    with whole_file(target, folder) as staging:
        schema = answering.schema
        with pq.ParquetWriter(
            staging, schema, compression=COMPRESSION, use_dictionary=REPEATED, write_statistics=[CUSTOMER_ID], store_schema=False
        ) as writer:
            for piece in answers:
                if stop is not None and stop.is_set():
                    raise Stopped("stopped")
                writer.write_batch(piece.batch)
                rows, churn = rows + piece.rows, churn + piece.churn
                rejected += [] if piece.rejected is None else [piece.rejected]
            done = Done(part.fingerprint, rows, sum(batch.num_rows for batch in rejected), churn)
            writer.add_key_value_metadata({METADATA: orjson.dumps(asdict(done))})
        _write_rejected(rejected, apart, folder)
    return done


def _write_rejected(rejected: list[Any], target: Path, folder: Path) -> None:
    """Write what was set apart, beside the answers and before them; take away what an earlier run wrote, if there is nothing."""
    if not rejected:
        target.unlink(missing_ok=True)
        return
    with whole_file(target, folder) as staging:
        pq.write_table(pa.Table.from_batches(rejected), staging, compression=COMPRESSION)


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
