"""Every relative link of every page leads to a file and a heading, and the map in docs/README.md leads to every page."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.checkout import CHECKOUT
from tests.unit.docs.pages import anchors, markdown_pages, read

PAGES = markdown_pages()
LINK = re.compile(r"\]\(([^)\s]+)\)")


def links(page: Path) -> list[tuple[Path, str]]:
    """Return where a page's relative links lead: a path from the checkout, and an anchor or nothing."""
    return links_in(read(page), page)


def links_in(text: str, page: Path) -> list[tuple[Path, str]]:
    """Return the same of a part of a page."""
    found = []
    for link in LINK.findall(text):
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            target = Path(os.path.normpath(page.parent / path)) if path else page
            found.append((target, anchor))
    return found


def test_every_relative_link_leads_to_a_file_and_a_heading() -> None:
    for page in PAGES:
        for target, anchor in links(page):
            assert (CHECKOUT / target).exists(), f"{page}: {target}"
            assert not anchor or anchor in anchors(target), f"{page}: {target}#{anchor}"


def test_the_map_links_every_page_once() -> None:
    # Above its lists a table answers "how do I …", and links some pages a second time.
    lists = "\n".join(line for line in read(Path("docs/README.md")).splitlines() if not line.startswith("|"))
    linked = [target for target, _ in links_in(lists, Path("docs/README.md"))]
    assert len(linked) == len(set(linked))
    pages = {page for page in PAGES if page.parent == Path("docs")} - {Path("docs/README.md")}
    indexes = {page for page in PAGES if page.parts[0] == "docs" and len(page.parts) == 3 and page.name == "README.md"}
    assert pages | indexes <= set(linked)


@pytest.mark.parametrize("folder", ["docs/adr", "docs/runbooks"])
def test_the_index_of_a_folder_links_each_of_its_pages(folder: str) -> None:
    index = Path(folder) / "README.md"
    pages = {page for page in PAGES if page.parent == Path(folder)} - {index}
    assert pages
    assert pages <= {target for target, _ in links(index)}
