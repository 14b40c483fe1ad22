"""Pages are short where they must be, and say the words of docs/glossary.md rather than private ones."""

from __future__ import annotations

import re

import pytest

from tests.unit.docs.pages import markdown_pages, prose, read

# Words that this project once used for a thing that the field, or the glossary, has a name for.
PRIVATE = re.compile(
    r"\b(takeovers?|servables?|fast lane|quick check|bad days?|another company's data|at the door|swaps?"
    r"|contestants?|contenders?|monitor's looks?|the looks?|a look|looks at"
    r"|next look|newest look|earlier looks?|verdict of the look|trail of|foretold)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize(("page", "most"), [("README.md", 900), ("CONTRIBUTING.md", 900)])
def test_a_page_that_everybody_reads_is_short(page: str, most: int) -> None:
    assert len(read(page).split()) <= most


def test_a_page_has_no_private_words() -> None:
    found = {str(page): word[0] for page in markdown_pages() if (word := PRIVATE.search(prose(page)))}
    assert found == {}
