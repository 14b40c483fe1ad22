"""One part from customers to answers: read, judged, scored, and written under its name only when it is whole."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow as pa

from churn.batch.answer_file import Done, write_answers
from churn.batch.answers import Answering, answer_schema
from churn.batch.model import Scorer, code_digest, scorer_of
from churn.batch.ordered import in_order
from churn.batch.pieces import Piece, ReadPiece
from churn.batch.plan import Part, Terms
from churn.batch.readers.reader import open_part
from churn.data.csv_chunks import why_unreadable
from churn.data.unchanged import Stamp, check_unchanged
from churn.errors import ChurnError, InputError

_UNREADABLE = (pa.ArrowException, csv.Error, zlib.error, OSError, EOFError, ValueError)


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


def attempt(
    scorer: Scorer, part: Part, terms: Terms, folder: Path, stop: Event | None = None, threads: int = 1
) -> dict[str, Any]:
    """Score a part, and turn an error of ours into plain data.

    Parameters
    ----------
    scorer, part, terms, folder, stop, threads
        As for `write_part`.

    Returns
    -------
    dict
        The fields of `Done`; or `error` and `exit_code`.
    """
    try:
        return asdict(write_part(scorer, part, terms, folder, stop, threads))
    except ChurnError as error:
        return {"error": str(error), "exit_code": error.exit_code}


def write_part(scorer: Scorer, part: Part, terms: Terms, folder: Path, stop: Event | None = None, threads: int = 1) -> Done:
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
    threads : int
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
    with open_pieces(scorer, part, terms) as (answering, pieces), closing(in_order(answering.answer, pieces, threads)) as answers:
        return write_answers(part, answering.schema, folder, answers, stop)


@contextmanager
def open_pieces(scorer: Scorer, part: Part, terms: Terms) -> Iterator[tuple[Answering, Iterator[ReadPiece]]]:
    """Open a part, and what answers it.

    Parameters
    ----------
    scorer : Scorer
    part : Part
    terms : Terms

    Yields
    ------
    answering : Answering
    pieces : iterator of callable
        As of `churn.batch.pieces.Reading`.

    Raises
    ------
    InputError
        If the file cannot be read, or is not the one that was looked at; also while pieces are fetched and read.
    """
    source = Path(part.path)
    with ExitStack() as stack:
        with _reading(source):
            check_unchanged(source, (part.size, part.mtime_ns))
            reading = stack.enter_context(open_part(part, scorer.rules, terms))
        schema = answer_schema(reading.id_type, segment=scorer.segmenter is not None)
        yield Answering(scorer, part, terms, schema), _readable(reading.pieces, source, (part.size, part.mtime_ns))


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise InputError(f"{source}: not readable ({why_unreadable(error, source)})") from error


def _readable(pieces: Iterator[ReadPiece], source: Path, before: Stamp) -> Iterator[ReadPiece]:
    """Only the reading: an error of who reads is none of the file's. What grew meanwhile is refused when its end is read."""

    def read(piece: ReadPiece) -> Piece:
        with _reading(source):
            return piece()

    while True:
        with _reading(source):
            piece = next(pieces, None)
        if piece is None:
            check_unchanged(source, before)
            return
        yield partial(read, piece)
