"""Small CSV files with one fault each, through every reader that applies: training, draft, drift, score, and a request's body."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from churn.batch.plan import Terms
from churn.batch.run import on_threads, score_folder
from churn.contract_draft.draft import draft_contract
from churn.customers.columns import CustomerColumns
from churn.customers.customer import request_model
from churn.data.dataset import read_dataset
from churn.data.unvalidated import read_unvalidated
from churn.errors import ChurnError
from churn.simulation.simulate import simulate, write_csv
from service.formats.csv_text import read_csv
from service.formats.validation import ColumnRules
from service.http.errors import Unprocessable
from tests.integration.files_to_score import CONTRACT, make_scorer, read_answers

RULES = ColumnRules(CONTRACT, request_model(CONTRACT))
ROWS = 60
Rows = list[list[str]]


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    path = tmp_path / "simulated.csv"
    write_csv(simulate(CONTRACT, ROWS, seed=3), CONTRACT, path)
    return list(csv.reader(io.StringIO(path.read_text())))


def as_csv(rows: Rows) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def unlabelled(rows: Rows) -> Rows:
    outcome = rows[0].index("Churn")
    return [row[:outcome] + row[outcome + 1 :] for row in rows]


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def scored(path: Path) -> list[float]:
    out = path.parent / "scored"
    score_folder(make_scorer(), path, out, Terms(), on_threads(1))
    answers: list[float] = read_answers(out)["churn_probability"].to_pylist()
    return answers


READERS: dict[str, Callable[[Path], object]] = {
    "training": lambda path: read_dataset(path, CONTRACT),
    "draft": draft_contract,
    "drift": lambda path: read_unvalidated(path, CONTRACT),
    "score": scored,
    "request": lambda path: read_csv(path.read_bytes(), RULES, 1000),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("line", "words"), [("sep=#", "note for Excel"), ("Customer export of June", "is a title and no header; delete it")]
)
def test_a_line_above_the_header_is_named_with_what_to_do(tmp_path: Path, rows: Rows, reader: str, line: str, words: str) -> None:
    rows = rows if reader in ("training", "draft") else unlabelled(rows)
    path = written(tmp_path / "case/case.csv", line + "\n" + as_csv(rows))
    with pytest.raises((ChurnError, Unprocessable)) as error:
        READERS[reader](path)
    message = str(error.value.errors if isinstance(error.value, Unprocessable) else error.value)
    assert words in message
    assert line.strip(",") in message
    assert "delete it" in message
    assert "\n" not in message


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("note", "separator"), [("sep=;", ";"), ("\ufeffSep=,", ","), ("\nsep=|", "|")])
def test_excel_s_note_of_what_separates_is_obeyed(tmp_path: Path, rows: Rows, reader: str, note: str, separator: str) -> None:
    rows = rows if reader in ("training", "draft") else unlabelled(rows)
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    noted = written(tmp_path / "a/case.csv", f"{note}\n{text.getvalue()}")
    plain = written(tmp_path / "b/case.csv", as_csv(rows))
    assert shown(READERS[reader](noted)) == shown(READERS[reader](plain))


def shown(read: object) -> str:
    return str(read.feature_texts(CONTRACT)) if isinstance(read, CustomerColumns) else str(read).replace("/a/", "/b/")


@pytest.mark.parametrize("above", ["sep=,\n\n", "\nsep=,\n"])
@pytest.mark.parametrize("wrong", ["state", "fields"])
def test_below_a_note_for_excel_lines_are_counted_as_people_do(tmp_path: Path, rows: Rows, wrong: str, above: str) -> None:
    rows[3] = rows[3][:-1] if wrong == "fields" else ["no state", *rows[3][1:]]
    path = written(tmp_path / "case.csv", above + as_csv(rows))
    with pytest.raises(ChurnError, match=r"\b6\b"):
        read_dataset(path, CONTRACT)
    with pytest.raises(ChurnError, match=r"\b6\b"):
        scored(path)


def test_an_area_code_written_as_a_float_is_the_same_level_in_every_reader(tmp_path: Path, rows: Rows) -> None:
    place = rows[0].index("Area code")
    floats = [rows[0], *([*row[:place], f"{row[place]}.0", *row[place + 1 :]] for row in rows[1:])]
    plain, odd = written(tmp_path / "a/plain.csv", as_csv(rows)), written(tmp_path / "b/odd.csv", as_csv(floats))
    assert read_dataset(odd, CONTRACT).features.equals(read_dataset(plain, CONTRACT).features)
    found = read_unvalidated(odd, CONTRACT)
    assert found.unreadable == {}
    assert found.frame.equals(read_unvalidated(plain, CONTRACT).frame)
    plain, odd = (
        written(tmp_path / "c/plain.csv", as_csv(unlabelled(rows))),
        written(tmp_path / "d/odd.csv", as_csv(unlabelled(floats))),
    )
    assert scored(odd) == scored(plain)
    bodies = [read_csv(path.read_bytes(), RULES, 1000).feature_texts(CONTRACT) for path in (plain, odd)]
    assert list(bodies[0]) == list(bodies[1])


def test_odd_cells_keep_a_column_of_numbers_and_are_counted_in_the_draft(tmp_path: Path, rows: Rows) -> None:
    odd = {"q_mark": "?", "na_slash": "n/a", "div0": "#DIV/0!", "thousand": "1,234.50", "unit": "12 GB"}
    numbers = np.random.default_rng(1).uniform(20, 300, ROWS).round(2)
    table = [[*rows[0], *odd], *([*row, *[str(number)] * len(odd)] for row, number in zip(rows[1:], numbers, strict=True))]
    for place, text in enumerate(odd.values(), start=len(rows[0])):
        table[3][place] = table[7][place] = text
    columns = {guess.column["source"]: guess for guess in draft_contract(written(tmp_path / "odd.csv", as_csv(table))).columns}
    meant = {"thousand": ({"thousands": ",", "decimal": "."}, "1234.5"), "unit": ({"units": ["GB"], "decimal": "."}, "12")}
    for name, text in odd.items():
        column, (note,) = columns[name].column, columns[name].notes
        assert column["kind"] == "number"
        if name in meant:
            assert column["number_format"] == meant[name][0]
            assert note.startswith("2 cells write a number in another way, as number_format says: ")
            assert f"{text!r} (2) is {meant[name][1]}" in note
        else:
            assert column["missing"] == [text]
            assert note == f"2 cells hold a text and no number, and count as missing: {text!r} (2)"


def test_na_among_country_codes_stays_a_level(tmp_path: Path, rows: Rows) -> None:
    table = [["Country", *rows[0]], *([("NA", "BW", "ZA")[number % 3], *row] for number, row in enumerate(rows[1:]))]
    path = written(tmp_path / "countries.csv", as_csv(table))
    draft = draft_contract(path)
    country = next(guess for guess in draft.columns if guess.column["source"] == "Country")
    assert country.column["levels"] == ["BW", "NA", "ZA"]
    assert "NA" in country.why
    assert (read_dataset(path, draft.contract).features["country"] == "NA").sum() == ROWS // 3
    assert (read_unvalidated(path, draft.contract).frame["country"] == "NA").sum() == ROWS // 3
