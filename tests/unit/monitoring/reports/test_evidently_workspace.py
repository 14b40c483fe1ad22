"""Evidently's pages on disk, and which of its warnings are silenced, without Evidently. (The real one: tests/integration.)"""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from sklearn.exceptions import UndefinedMetricWarning

from monitoring.reports.evidently_workspace import quiet, save_page


class Snapshot:
    """Writes half of a page, and breaks off if it is told to."""

    def __init__(self, *, breaks: bool = False) -> None:
        self._breaks = breaks

    def save_html(self, path: str) -> None:
        assert isinstance(path, str)
        Path(path).write_text("<html>")
        if self._breaks:
            raise OSError(28, "No space left on device")
        with Path(path).open("a") as file:
            file.write("</html>")


def test_a_page_is_whole_or_as_it_was(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    with pytest.raises(OSError, match="No space"):
        save_page(Snapshot(breaks=True), page)
    assert list(tmp_path.iterdir()) == []
    save_page(Snapshot(), page)
    with pytest.raises(OSError, match="No space"):
        save_page(Snapshot(breaks=True), page)
    assert page.read_text() == "<html></html>"
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize(
    "category", [DeprecationWarning, PendingDeprecationWarning, FutureWarning, RuntimeWarning, UndefinedMetricWarning]
)
def test_what_its_libraries_warn_of_is_silenced_while_it_draws_and_not_after(category: type[Warning]) -> None:
    with quiet():
        warnings.warn("old", category, stacklevel=1)
    with pytest.raises(category):
        warnings.warn("old", category, stacklevel=1)


def test_other_warnings_are_heard() -> None:
    with quiet(), pytest.raises(UserWarning, match="odd"):
        warnings.warn("odd", UserWarning, stacklevel=1)
