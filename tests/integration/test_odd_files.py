"""What is no proper CSV is refused by every reader of it, with the line where it is known; what is odd and proper by none."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from churn.batch.plan import Terms, make_plan
from churn.batch.readers.reader import open_part
from churn.contract import load_contract
from churn.contract_draft.draft import draft_contract
from churn.customers.customer import request_model
from churn.data.unvalidated import read_unvalidated
from churn.errors import ChurnError
from service.formats.csv_text import read_csv
from service.formats.validation import ColumnRules
from service.http.errors import Unprocessable

CONTRACT = load_contract()
RULES = ColumnRules(CONTRACT, request_model(CONTRACT), ignore_unknown=True)
HEADER = [*CONTRACT.feature_names, "note", "churn"]
STATE = HEADER.index("state")


def table(notes: list[str], end: str = "\n") -> bytes:
    rows = [["", *[""] * (len(HEADER) - 3), note, ("no", "yes")[n % 2]] for n, note in enumerate(notes)]
    for n, row in enumerate(rows):
        row[STATE] = ("OH", "KS", "NJ")[n % 3]
    return end.join(",".join(row) for row in [HEADER, *rows, []]).encode()


REFUSED = {
    "a NUL in a column that nobody reads": (table(["x"] * 40 + ["a\0b"]), None),
    "a NUL behind quotes over two lines": (table(['"a\nb"'] + ["x"] * 4_000 + ["a\0b"]), 4_004),
    "a NUL behind the rows": (table(["x"] * 9) + b"\0\0", None),
    "text behind a quote": (table(["x", '"a"b', "x"]), 3),
    "text behind a quote, behind a proper break": (table(['"a\nb"', "x", '"a"b', "x"]), 5),
    "a quote that is not closed": (table(["x", '"a', "x", "x"]), 3),
    "a row that is too short": (table(["x", "x"]) + b"OH,1\n", 4),
    "no line at all": (b"", None),
    "more columns than any contract has": (b"," * 10_001 + b"\n" + b"," * 10_001 + b"\n", None),
}
READ = {
    "quotes within quotes": table(['"a ""b"""', "x"]),
    "quotes within a text": table(['a "b"', "x"]),
    "line breaks within quotes": table(['"a\n\r\nb"', "x"]),
    "quotes around everything, and a mark of UTF-8": b"\xef\xbb\xbf" + table(['"x"'] * 3).replace(b"OH", b'"OH"'),
    "old line ends": table(["x", '"a,b"'], "\r"),
    "lines of Windows, some doubled": table(["x", '"a,b"'], "\r\n").replace(b"\r\n", b"\r\r\n", 1),
    "a note for Excel": b"sep=,\n" + table(["x", '"y"']),
}


def ways(path: Path, body: bytes) -> dict[str, str | None]:
    """Return what each reader says against a file; None if it reads it."""

    def score() -> None:
        (part,) = make_plan(path, "digest", Terms(allow_absent=True)).parts
        with open_part(part, RULES, Terms(allow_absent=True)) as reading:
            for read in reading.pieces:
                read()

    readers = {
        "body": lambda: read_csv(body, RULES, 10**6),
        "score": score,
        "drift, train": lambda: read_unvalidated(path, CONTRACT),
        "draft": lambda: draft_contract(path),
    }
    found: dict[str, str | None] = {}
    for name, read in readers.items():
        try:
            read()
        except Unprocessable as error:
            found[name] = str(error.errors[0])
        except (ChurnError, ValueError) as error:
            found[name] = str(error)
        else:
            found[name] = None
    return found


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_csv_is_refused_by_every_reader(tmp_path: Path, what: str, packed: bool) -> None:
    body, line = REFUSED[what]
    path = tmp_path / "in.csv"
    path.write_bytes(gzip.compress(body) if packed else body)
    found = ways(path, body)
    assert None not in found.values(), found
    assert not what.startswith("a NUL") or all("NUL" in str(said) for said in found.values()), found
    for way in () if line is None else ("score", "drift, train", "draft"):
        assert f"row {line}" in str(found[way]), found


@pytest.mark.parametrize("what", READ)
def test_what_is_odd_and_proper_is_read_by_every_reader(tmp_path: Path, what: str) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(READ[what])
    found = ways(path, READ[what])
    # (A draft needs more rows than these; a file without them is not its concern here.)
    assert {found[way] for way in ("body", "score", "drift, train")} == {None}, found
