from __future__ import annotations

from typing import Any

import pytest

from churn.customers.customer_id import is_plain_id, read_id, read_ids


@pytest.mark.parametrize(
    ("cell", "stored"),
    [
        ("c-1", "c-1"),
        (" c-1 ", "c-1"),
        (415, "415"),
        (415.0, "415"),
        ("415.0", "415"),
        ("007", "007"),
        (2**63, str(2**63)),
        ("NA", None),
    ],
)
def test_an_id_is_stored_as_its_text(cell: Any, stored: str | None) -> None:
    assert read_id(cell) == stored
    assert read_ids([cell, "other"]) == ([stored, "other"], None)


@pytest.mark.parametrize("cell", [True, 1.5, [], b"x", 2**64, 1e16, "a\nb", "\x7f", "x" * 129, "\ud800", float("inf")])
def test_what_names_nobody_is_refused(cell: Any) -> None:
    with pytest.raises(ValueError, match=r"must|too large"):
        read_id(cell)
    doubtful = read_ids(["a", cell])[1]
    assert doubtful is not None
    assert doubtful.tolist() == [False, True]


@pytest.mark.parametrize(
    "text", ["a", "c-1", "customer 7", "a|b", "é", "x" * 128, "1.5", " a", "a ", "415.0", "NA", "", "a\tb", "x" * 129]
)
def test_what_is_plain_is_stored_as_it_is(text: str) -> None:
    if is_plain_id(text):
        assert read_id(text) == text
