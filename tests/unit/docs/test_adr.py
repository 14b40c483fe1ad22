"""Decision records have one form, and consecutive numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import markdown_pages, read

RECORDS = [page for page in markdown_pages() if page.parent == Path("docs/adr") and page.name != "README.md"]
FORM = re.compile(
    r"# (\d+)\. \S[^\n]*\n\n"
    r"- Status: (?:accepted(?P<amended>, amended by [^\n]+)?|superseded by [^\n]+)\n- Date: \d{4}-\d\d-\d\d\n\n"
    r"## Context\n.+\n## Decision\n.+\n## Consequences\n.+",
    re.DOTALL,
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_status_date_context_decision_and_consequences(record: Path) -> None:
    form = FORM.fullmatch(read(record))
    assert form
    assert record.name.startswith(f"{int(form[1]):04d}-")
    amended = form["amended"] or ""
    later = re.findall(r"\[(?:ADR )?(\d+)\]\((\d+)-", amended)
    assert bool(later) == bool(amended)
    assert all(int(told) == int(named) > int(form[1]) for told, named in later), f"{record}: a later record amends an earlier one"


def test_numbers_are_consecutive_and_the_list_has_the_titles() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))
    index = read("docs/adr/README.md")
    for number, record in enumerate(RECORDS, 1):
        title = read(record).splitlines()[0].partition(". ")[2]
        assert f"| {number} | [{title}]({record.name}) |" in index
