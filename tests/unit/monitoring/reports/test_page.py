"""Pages for people: nothing of a customer is markup in them, a missing name is an error; they are whole or not there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import jinja2
import pytest

from monitoring.reports import page


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(page, "PackageLoader", lambda package: jinja2.FileSystemLoader(tmp_path / package))
    (tmp_path / "monitoring").mkdir()
    return tmp_path / "monitoring" / "t.html"


def test_texts_are_escaped_and_moments_spelled(template: Path) -> None:
    template.write_text("{% if text %}\n<p>{{ text }}, {{ moment(at) }}</p>\n{% endif %}\n")
    said = page.render_page("t.html", text="<script>&", at=datetime(2026, 3, 1, 9, 5, 59, tzinfo=UTC))
    assert said == "<p>&lt;script&gt;&amp;, 2026-03-01 09:05 UTC</p>\n"


def test_a_name_that_nobody_gave_is_an_error(template: Path) -> None:
    template.write_text("{{ nobody_gave_it }}")
    with pytest.raises(jinja2.UndefinedError, match="nobody_gave_it"):
        page.render_page("t.html")


def test_a_page_is_written_whole_and_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "page.html"
    page.write_page(path, "first: ü")
    page.write_page(path, "second")
    assert path.read_text(encoding="utf-8") == "second"
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]
