"""One part from customers to answers: read, judged, scored, and written under its name only when it is whole."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
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
from churn.batch.model import Scorer, code_digest, scorer_of
from churn.batch.plan import Part, Terms
from churn.batch.reader import Piece, open_part
from churn.customers.column_names import CUSTOMER_ID
from churn.errors import ChurnError, ContractError, InputError, Problem
from churn.one_line import one_line

REJECTED = "_rejected"
METADATA = b"churn.scored"
SHOWN_PROBLEMS = 20
COMPRESSION = "snappy"
# Columns that repeat: each costs a few bytes a part.
_REPEATED = ["threshold", "model_version"]
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


def attempt(scorer: Scorer, part: Part, terms: Terms, folder: Path, stop: Event | None = None) -> dict[str, Any]:
    """Score a part, and turn an error of ours into plain data.

    Parameters
    ----------
    scorer, part, terms, folder, stop
        As for `write_part`.

    Returns
    -------
    dict
        The fields of `Done`; or `error` and `exit_code`.
    """
    try:
        return asdict(write_part(scorer, part, terms, folder, stop))
    except ChurnError as error:
        return {"error": str(error), "exit_code": error.exit_code}


def write_part(scorer: Scorer, part: Part, terms: Terms, folder: Path, stop: Event | None = None) -> Done:
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
        return _write(scorer, part, terms, folder, reading.id_type, _readable(reading.pieces, source), stop)


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise InputError(f"{source}: not readable ({one_line(error, 200)})") from error


def _readable(pieces: Iterator[Piece], source: Path) -> Iterator[Piece]:
    while True:
        # Only the reading: an error of who reads is none of the file's.
        with _reading(source):
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def _write(
    scorer: Scorer, part: Part, terms: Terms, folder: Path, id_type: Any, pieces: Iterator[Piece], stop: Event | None
) -> Done:
    target, rejected = folder / part.output, _Rejected(folder / REJECTED / part.output, part)
    rows = churn = 0
    with whole_file(target) as staging:
        schema = answer_schema(id_type)
        with pq.ParquetWriter(
            staging, schema, compression=COMPRESSION, use_dictionary=_REPEATED, write_statistics=[CUSTOMER_ID], store_schema=False
        ) as writer:
            for piece in pieces:
                if stop is not None and stop.is_set():
                    raise Stopped("stopped")
                answers, flagged = _answer(scorer, part, terms, piece, schema, rejected)
                writer.write_batch(answers)
                rows, churn = rows + piece.table.rows, churn + flagged
            done = Done(part.fingerprint, rows, rejected.rows, churn)
            writer.add_key_value_metadata({METADATA: orjson.dumps(asdict(done))})
        rejected.finish()
    return done


def _answer(scorer: Scorer, part: Part, terms: Terms, piece: Piece, schema: Any, rejected: _Rejected) -> tuple[Any, int]:
    refused: list[tuple[int, ValidationError | None]] = []

    def refuse(row: int, error: ValidationError | None) -> bool:
        refused.append((row, error))
        return terms.invalid == "skip" or len(refused) < SHOWN_PROBLEMS

    customers = scorer.rules.examine(piece.table, refuse)
    if refused and terms.invalid == "stop":
        raise ContractError(part.name, [problem for row, error in refused for problem in _problems(piece.number(row), error)])
    # What a refused row holds may be no code of any level: it is answered for nobody.
    kept = _without([row for row, _ in refused], piece.table.rows)
    if kept is not None:
        customers = type(customers)({name: values[kept] for name, values in customers.values.items()})
        rejected.add(piece, refused)
    probabilities = scorer.probabilities(customers)
    churn = probabilities >= scorer.model.threshold
    count = len(probabilities)
    ids = piece.ids if kept is None or piece.ids is None else piece.ids.filter(pa.array(kept))
    columns = [
        *([] if ids is None else [ids]),
        pa.array(probabilities),
        pa.array(churn),
        pa.repeat(scorer.model.threshold, count),
        pa.repeat(scorer.model.version, count),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema), int(np.count_nonzero(churn))


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


class _Rejected:
    """The customers that were set apart; written beside the answers, and before them."""

    _SCHEMA = pa.schema([("file", pa.string()), ("row", pa.int64()), (CUSTOMER_ID, pa.string()), ("reason", pa.string())])

    def __init__(self, target: Path, part: Part) -> None:
        self._target, self._part = target, part
        self._found: list[Any] = []
        self.rows = 0

    def add(self, piece: Piece, refused: list[tuple[int, ValidationError | None]]) -> None:
        numbers = [piece.number(row) for row, _ in refused]
        reasons = [
            "; ".join(f"{p.column}: {p.rule}" if p.column else p.rule for p in _problems(0, error)) for _, error in refused
        ]
        ids = [None if piece.ids is None else piece.ids[row].as_py() for row, _ in refused]
        named = [None if one is None else str(one) for one in ids]
        self._found.append(pa.record_batch([[self._part.name] * len(refused), numbers, named, reasons], schema=self._SCHEMA))
        self.rows += len(refused)

    def finish(self) -> None:
        """Write what was set apart; take away what an earlier run wrote, if there is nothing."""
        if not self._found:
            self._target.unlink(missing_ok=True)
            return
        with whole_file(self._target) as staging:
            pq.write_table(pa.Table.from_batches(self._found), staging, compression=COMPRESSION)


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
