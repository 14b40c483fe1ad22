"""The Markdown pages of the repository, and what they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.checkout import CHECKOUT

FOLDERS = ("docs", "k8s", "deploy", "monitoring", ".github")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def markdown_pages() -> list[Path]:
    """Return every page written for people: those of the root folder and of FOLDERS, relative to the checkout."""
    found = [*CHECKOUT.glob("*.md"), *(page for folder in FOLDERS for page in (CHECKOUT / folder).rglob("*.md"))]
    return sorted(page.relative_to(CHECKOUT) for page in found)


def read(page: Path | str) -> str:
    return (CHECKOUT / page).read_text("utf-8")


def prose(page: Path | str) -> str:
    """Return a page without its code: neither fenced nor indented blocks, nor what stands in backticks."""
    text = re.sub(r"^    .*$", "", _FENCE.sub("", read(page)), flags=re.MULTILINE)
    return re.sub(r"`[^`]*`", "", text)


def code_lines(page: Path | str) -> Iterator[str]:
    """Yield the lines of shell in a page's indented and fenced blocks, continued lines joined."""
    text = read(page)
    blocks = [body for language, body in _FENCE.findall(text) if language in ("", "sh", "bash", "console")]
    indented = [line[4:] for line in _FENCE.sub("", text).splitlines() if line.startswith("    ")]
    for block in [*blocks, "\n".join(indented)]:
        yield from block.replace("\\\n", " ").splitlines()


def in_backticks(page: Path | str) -> list[str]:
    return [" ".join(words.split()) for words in re.findall(r"`([^`]+)`", _FENCE.sub("", read(page)))]


def anchors(page: Path | str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#{1,6} (.+)$", _FENCE.sub("", read(page)), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower().strip()).replace(" ", "-") for heading in headings}
