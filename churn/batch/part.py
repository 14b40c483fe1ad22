"""One part from customers to answers: read, judged, scored, and written under its name only when it is whole."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError

from churn.atomic_write import atomic_write
from churn.batch.lanes import in_order
from churn.batch.model import Scorer, code_digest, scorer_of
from churn.batch.pieces import PIECE_ROWS, Piece, ReadPiece
from churn.batch.plan import Part, Terms
from churn.batch.reader import open_part
from churn.customers.arrow_buffers import from_flags, from_floats, repeated_text
from churn.customers.column_names import CUSTOMER_ID
from churn.errors import ChurnError, ContractError, InputError, Problem
from churn.one_line import one_line

REJECTED = "_rejected"
METADATA = b"churn.scored"
SHOWN_PROBLEMS = 20
COMPRESSION = "snappy"
# Columns that repeat: each costs a few bytes a part.
REPEATED = ["threshold", "model_version"]
_REJECTED_SCHEMA = pa.schema([("file", pa.string()), ("row", pa.int64()), (CUSTOMER_ID, pa.string()), ("reason", pa.string())])
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


def answer_schema(id_type: Any) -> Any:
    """Give the columns of answers; `id_type` None: the input names nobody."""
    named = [] if id_type is None else [pa.field(CUSTOMER_ID, id_type)]
    return pa.schema(
        [
            *named,
            pa.field("churn_probability", pa.float64(), nullable=False),
            pa.field("churn", pa.bool_(), nullable=False),
            pa.field("threshold", pa.float64(), nullable=False),
            pa.field("model_version", pa.string(), nullable=False),
        ]
    )


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
        answering = _Answering(scorer, part, terms, answer_schema(reading.id_type))
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


@dataclass(frozen=True)
class _Answers:
    """The answers of a piece, and the rows that got none, each with its number and what is wrong with it."""

    batch: Any
    rows: int
    churn: int
    rejected: Any


def _write(answering: _Answering, folder: Path, answers: Iterator[_Answers], stop: Event | None) -> Done:
    part = answering.part
    target, apart = folder / part.output, folder / REJECTED / part.output
    rows = churn = 0
    rejected: list[Any] = []
    with whole_file(target) as staging:
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
        _write_rejected(rejected, apart)
    return done


@dataclass(frozen=True)
class _Answering:
    """Answers the pieces of a part."""

    scorer: Scorer
    part: Part
    terms: Terms
    schema: Any

    def answer(self, read: ReadPiece) -> _Answers:
        piece, scorer = read(), self.scorer
        refused: list[tuple[int, ValidationError | None]] = []

        def refuse(row: int, error: ValidationError | None) -> bool:
            refused.append((row, error))
            return self.terms.invalid == "skip" or len(refused) < SHOWN_PROBLEMS

        customers = scorer.rules.examine(piece.table, refuse)
        if refused and self.terms.invalid == "stop":
            problems = [problem for row, error in refused for problem in _problems(piece.number(row), error)]
            raise ContractError(self.part.name, problems)
        # What a refused row holds may be no code of any level: it is answered for nobody.
        kept = _without([row for row, _ in refused], piece.table.rows)
        if kept is not None:
            customers = type(customers)({name: values[kept] for name, values in customers.values.items()})
        probabilities = scorer.probabilities(customers)
        churn = probabilities >= scorer.model.threshold
        ids = piece.ids if kept is None or piece.ids is None else piece.ids.filter(from_flags(kept))
        columns = [
            *([] if ids is None else [ids]),
            from_floats(probabilities),
            from_flags(churn),
            *_repeated(scorer.model.threshold, scorer.model.version, len(probabilities)),
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        rejected = _rejected(self.part, piece, refused) if refused else None
        return _Answers(batch, piece.table.rows, int(np.count_nonzero(churn)), rejected)


def _repeated(threshold: float, version: str, rows: int) -> list[Any]:
    """Return the columns that are the same in every row; they are made once for pieces of up to so many rows."""
    return [column.slice(0, rows) for column in _made(threshold, version, max(rows, PIECE_ROWS))]


@lru_cache(maxsize=4)
def _made(threshold: float, version: str, rows: int) -> tuple[Any, Any]:
    return from_floats(np.full(rows, threshold)), repeated_text(version, rows)


def _without(rows: list[int], count: int) -> NDArray[np.bool_] | None:
    if not rows:
        return None
    kept = np.ones(count, np.bool_)
    kept[rows] = False
    return kept


def _problems(number: int, error: ValidationError | None) -> Iterator[Problem]:
    if error is None:
        yield Problem("must be a customer", row=number)
        return
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        column = ".".join(map(str, one["loc"])) or None
        yield Problem(one["msg"].removeprefix("Value error, "), column=column, row=number)


def _rejected(part: Part, piece: Piece, refused: list[tuple[int, ValidationError | None]]) -> Any:
    """Return the customers of a piece that are set apart."""
    numbers = [piece.number(row) for row, _ in refused]
    reasons = ["; ".join(f"{p.column}: {p.rule}" if p.column else p.rule for p in _problems(0, error)) for _, error in refused]
    ids = [None if piece.ids is None else piece.ids[row].as_py() for row, _ in refused]
    named = [None if one is None else str(one) for one in ids]
    return pa.record_batch([[part.name] * len(refused), numbers, named, reasons], schema=_REJECTED_SCHEMA)


def _write_rejected(rejected: list[Any], target: Path) -> None:
    """Write what was set apart, beside the answers and before them; take away what an earlier run wrote, if there is nothing."""
    if not rejected:
        target.unlink(missing_ok=True)
        return
    with whole_file(target) as staging:
        pq.write_table(pa.Table.from_batches(rejected), staging, compression=COMPRESSION)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a name to write to; what was written there gets the name `target` when it is whole and on the disk.

    Raises
    ------
    ChurnError
        If it cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
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
