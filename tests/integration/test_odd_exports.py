"""Invented exports with every kind of dirt at once: the draft reads what was meant, and every reader reads the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.batch.plan import Terms, make_plan
from churn.batch.readers.reader import open_part
from churn.contract import Contract
from churn.contract_draft.draft import draft_contract
from churn.customers.columns import CustomerColumns
from churn.customers.customer import request_model
from churn.data.dataset import read_dataset
from churn.data.unvalidated import read_unvalidated
from service.formats.arrow_ipc import read_arrow
from service.formats.csv_text import read_csv
from service.formats.records import from_records
from service.formats.validation import ColumnRules

ROWS, MUCH = 240, 10**8
SEEDS = range(24)
Write = Callable[[float, np.random.Generator], str]
NO_NUMBERS = ("?", "-", "n/a", "N/A", "#DIV/0!", r"\N", "NULL", "unknown", "", " ", "see note", "3k", "nan", "k.A.")
# How a spreadsheet ends a cell: nothing, blanks, blanks of another kind.
BLANKS = ("", "", " ", "\u00a0", "  ")


def grouped(number: float, decimal: str, thousands: str) -> str:
    return f"{number:,.2f}".replace(",", "T").replace(".", decimal).replace("T", thousands)


def style(decimal: str, thousands: str, before: str = "", after: str = "", *, accounting: bool = False) -> Write:
    def write(number: float, rng: np.random.Generator) -> str:
        text = grouped(abs(number), decimal, thousands if rng.random() < 0.5 else "")
        # 1.234 is a number of a plain form, and means another one where the mark is a comma.
        text = text.removesuffix(f"{decimal}00")
        text = f"{before}{text}{after}" if rng.random() < 0.7 else text
        if number >= 0:
            return text
        return f"({text})" if accounting else f"{rng.choice(['-', chr(0x2212)])}{text}"

    return write


STYLES: dict[str, Write] = {
    "plain": lambda number, rng: f"{number:.2f}",
    "exponent": lambda number, rng: f"{number:.8e}" if rng.random() < 0.3 else f"{number:.2f}",
    "dollars": style(".", ",", "$"),
    "accounting": style(".", ",", "$ ", accounting=True),
    "euros": style(",", ".", after=" €"),
    "francs": style(".", "'", "CHF "),
    "french": style(",", "\u202f"),
    "percent": style(".", "", after="%"),
    "unit": style(".", ",", after=" GB"),
    "indian": lambda number, rng: grouped(number, ".", ",") if abs(number) < 1e5 else f"{number:.2f}",
}


@dataclass(frozen=True)
class Export:
    """What a company meant, by column (None where it meant nothing), and how it wrote it."""

    meant: dict[str, list[Any]]
    written: dict[str, list[str]]


def invent(seed: int) -> Export:
    rng = np.random.default_rng([seed, 18])
    meant: dict[str, list[Any]] = {}
    written: dict[str, list[str]] = {}

    def add(name: str, values: list[Any], texts: list[str], nothing: tuple[str, ...], share: float) -> None:
        gaps = rng.random(ROWS) < share
        gaps[0] = False
        meant[name] = [None if gap else value for gap, value in zip(gaps, values, strict=True)]
        blanks = rng.choice(BLANKS, ROWS) if rng.random() < 0.5 else [""] * ROWS
        dirty = [str(rng.choice(nothing)) if gap else text for gap, text in zip(gaps, texts, strict=True)]
        written[name] = [f"{blank}{text}{blank}" for blank, text in zip(blanks, dirty, strict=True)]

    for kind in rng.choice(list(STYLES), 4, replace=False):
        low = -3_000 if rng.random() < 0.3 else 0
        drawn = rng.uniform(low, 9_000, ROWS)
        values = np.where(rng.random(ROWS) < 0.2, drawn.round(), drawn.round(2)).tolist()
        add(f"Amount {kind}", values, [STYLES[kind](value, rng) for value in values], NO_NUMBERS, rng.choice([0, 0.005, 0.05]))
    calls = rng.integers(0, 9, ROWS).tolist()
    add("Calls", calls, [f"{call}.0" if seed % 2 else str(call) for call in calls], ("?", "", "unknown"), rng.choice([0, 0.01]))
    words = [("Yes", "No"), ("TRUE", "FALSE"), ("1", "0"), ("y", "n"), ("ja", "nein"), ("Oui", "Non")][seed % 6]
    flags = (rng.random(ROWS) < 0.4).tolist()
    add("Card", flags, [words[0] if flag else words[1] for flag in flags], ("?", "", "n/a"), rng.choice([0, 0.03]))
    levels = [("NA", "BW", "ZA"), ("DSL", "dsl", "None"), ("3G", "4G", "5G"), ("12 months", "24 months", "open")][seed % 4]
    levels_drawn = rng.choice(levels, ROWS).tolist()
    add("Level", levels_drawn, levels_drawn, ("",), rng.choice([0, 0.03]))
    written["Churn"] = rng.choice(["Yes", "No"], ROWS).tolist()
    written["CLIENTNUM"] = [str(n) for n in rng.permutation(ROWS) * 7 + 700_000]
    return Export(meant, written)


def as_csv(export: Export, seed: int) -> bytes:
    text = io.StringIO(newline="")
    ends, quoting = ("\n", "\r\n")[seed % 2], (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)[seed // 2 % 2]
    writer = csv.writer(text, lineterminator=ends, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(export.written)
    writer.writerows(zip(*export.written.values(), strict=True))
    return text.getvalue().encode("utf-8-sig" if seed % 3 else "utf-8")


def values(frame: pd.DataFrame, contract: Contract) -> dict[str, list[Any]]:
    found = {}
    for column in contract.features:
        cells = [None if pd.isna(value) else value for value in frame[column.name]]
        found[column.source] = [None if c is None else bool(c) for c in cells] if column.kind == "flag" else cells
    return found


def scored(path: Path, contract: Contract, rules: ColumnRules) -> CustomerColumns:
    (part,) = make_plan(path, "digest", Terms()).parts
    with open_part(part, rules, Terms()) as reading:
        pieces = [read() for read in reading.pieces]
    (piece,) = pieces
    refused: list[int] = []
    columns = rules.examine(piece.table, lambda row, error: refused.append(row) is None)
    assert refused == []
    return columns


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_meant_is_read_and_every_reader_reads_the_same(tmp_path: Path, seed: int) -> None:
    export = invent(seed)
    path = tmp_path / "export.csv"
    body = as_csv(export, seed)
    path.write_bytes(body)
    contract = draft_contract(path).contract
    assert contract.id_column is not None
    assert contract.id_column.source == "CLIENTNUM"
    assert [column.source for column in contract.features] == list(export.meant)
    assert values(read_dataset(path, contract).features, contract) == export.meant
    assert values(read_unvalidated(path, contract).frame, contract) == export.meant

    rules = ColumnRules(contract, request_model(contract))
    table = pa.table({name: pa.array(cells) for name, cells in export.written.items()})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    pq.write_table(table, tmp_path / "export.parquet")
    records = [dict(zip(export.written, row, strict=True)) for row in zip(*export.written.values(), strict=True)]
    ways = {
        "CSV body": read_csv(body, rules, ROWS),
        "JSON body": from_records(records, rules, "customers", ROWS),
        "Arrow body": read_arrow(sink.getvalue(), rules, ROWS, MUCH, file=False),
        "score, CSV": scored(path, contract, rules),
        "score, Parquet": scored(tmp_path / "export.parquet", contract, rules),
    }
    for way, columns in ways.items():
        assert values(columns.frame(contract), contract) == export.meant, way
    assert request_model(contract).model_validate(records[0]).features() == {
        column.name: export.meant[column.source][0] for column in contract.features
    }
