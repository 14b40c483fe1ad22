"""Answers of a piece: judged, scored, and in the columns that are written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from churn.batch.model import Scorer, ScoringModel
from churn.batch.pieces import PIECE_ROWS, Piece, ReadPiece
from churn.batch.plan import Part, Terms
from churn.campaigns.control_group import ACTIONS
from churn.customers.arrow_buffers import from_codes, from_flags, from_floats, repeated_text
from churn.customers.column_names import CUSTOMER_ID
from churn.customers.columns import CustomerColumns
from churn.errors import ContractError, Problem

SHOWN_PROBLEMS = 20
REJECTED_SCHEMA = pa.schema([("file", pa.string()), ("row", pa.int64()), (CUSTOMER_ID, pa.string()), ("reason", pa.string())])


def answer_schema(id_type: Any, *, segment: bool = False) -> Any:
    """Give the columns of answers.

    Parameters
    ----------
    id_type : pyarrow.DataType or None
        None: the input names nobody.
    segment : bool
        Whether segments are asked for.

    Returns
    -------
    pyarrow.Schema
    """
    last = [pa.field("segment", pa.string(), nullable=False)] if segment else []
    named = [] if id_type is None else [pa.field(CUSTOMER_ID, id_type)]
    return pa.schema(
        [
            *named,
            pa.field("churn_probability", pa.float64(), nullable=False),
            pa.field("churn", pa.bool_(), nullable=False),
            pa.field("action", pa.string(), nullable=False),
            pa.field("threshold", pa.float64(), nullable=False),
            pa.field("model_version", pa.string(), nullable=False),
            *last,
        ]
    )


@dataclass(frozen=True)
class Judged:
    """The customers of a piece that keep the rules.

    Attributes
    ----------
    rows : int
        Rows of the piece.
    kept : array of bool, shape (rows,), or None
        Which of them keep the rules; None: all.
    customers : CustomerColumns
    ids : pyarrow.Array or None
        Who they are; None: the input names nobody.
    rejected : pyarrow.RecordBatch or None
        Those that do not, each with its number and what is wrong with it.
    """

    rows: int
    kept: NDArray[np.bool_] | None
    customers: CustomerColumns
    ids: Any
    rejected: Any


@dataclass(frozen=True)
class Answers:
    """The answers of a piece, and the rows that got none, each with its number and what is wrong with it."""

    batch: Any
    rows: int
    churn: int
    rejected: Any


@dataclass(frozen=True)
class Answering:
    """Answers the pieces of a part."""

    scorer: Scorer
    part: Part
    terms: Terms
    schema: Any

    def judge(self, read: ReadPiece) -> Judged:
        """Read a piece and judge its customers.

        Raises
        ------
        ContractError
            If a customer breaks a rule, unless such are skipped.
        """
        piece = read()
        # Never the errors themselves: each takes kilobytes, and each row may have one.
        refused: dict[int, list[Problem]] = {}

        def refuse(row: int, error: ValidationError | None) -> bool:
            refused[row] = _problems(piece.number(row), error)
            return self.terms.invalid == "skip" or len(refused) < SHOWN_PROBLEMS

        customers = self.scorer.rules.examine(piece.table, refuse)
        if refused and self.terms.invalid == "stop":
            raise ContractError(self.part.name, [problem for problems in refused.values() for problem in problems])
        # What a refused row holds may be no code of any level: it is answered for nobody.
        kept = _without(list(refused), piece.table.rows)
        if kept is not None:
            customers = type(customers)({name: values[kept] for name, values in customers.values.items()})
        ids = piece.ids if kept is None or piece.ids is None else piece.ids.filter(from_flags(kept))
        rejected = _rejected(self.part, piece, refused) if refused else None
        return Judged(piece.table.rows, kept, customers, ids, rejected)

    def answer(self, read: ReadPiece) -> Answers:
        """Read a piece, judge and score its customers; raise ContractError as `judge` does."""
        judged, model = self.judge(read), self.scorer.model
        probabilities = self.scorer.probabilities(judged.customers)
        churn = probabilities >= model.threshold
        columns = [
            *([] if judged.ids is None else [judged.ids]),
            from_floats(probabilities),
            from_flags(churn),
            _actions(churn, judged.ids, model),
            *_repeated(model.threshold, model.version, len(probabilities)),
            *self._segments(judged.customers),
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        return Answers(batch, judged.rows, int(np.count_nonzero(churn)), judged.rejected)

    def _segments(self, customers: CustomerColumns) -> list[Any]:
        segmenter = self.scorer.segmenter
        if segmenter is None:
            return []
        columns = customers.plain_values(segmenter.segments.columns, self.scorer.model.contract)
        return [from_codes(segmenter.numbers(columns), segmenter.names)]


def _actions(churn: NDArray[np.bool_], ids: Any, model: ScoringModel) -> Any:
    """Return what is to be done with each customer, as the service says it."""
    codes = churn.astype(np.int8)
    if ids is not None and (model.control.share or model.opted_out):
        named = [None if one is None else str(one) for one in ids.filter(from_flags(churn)).to_pylist()]
        everybody = np.ones(len(named), np.bool_)
        found = 1 + model.control.among(named, everybody).astype(np.int8)
        found[model.opted_out.among(named, everybody)] = 0
        codes[churn] = found
    return from_codes(codes, ACTIONS)


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


def _problems(number: int, error: ValidationError | None) -> list[Problem]:
    if error is None:
        return [Problem("must be a customer", row=number)]
    found = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        column = ".".join(map(str, one["loc"])) or None
        found.append(Problem(one["msg"].removeprefix("Value error, "), column=column, row=number))
    return found


def _rejected(part: Part, piece: Piece, refused: dict[int, list[Problem]]) -> Any:
    """Return the customers of a piece that are set apart."""
    numbers = [piece.number(row) for row in refused]
    reasons = ["; ".join(f"{p.column}: {p.rule}" if p.column else p.rule for p in problems) for problems in refused.values()]
    ids = [None if piece.ids is None else piece.ids[row].as_py() for row in refused]
    named = [None if one is None else str(one) for one in ids]
    return pa.record_batch([[part.name] * len(refused), numbers, named, reasons], schema=REJECTED_SCHEMA)
