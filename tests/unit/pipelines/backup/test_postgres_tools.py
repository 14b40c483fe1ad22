"""Where PostgreSQL's programs are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn.errors import ChurnError
from pipelines.backup import postgres_tools
from pipelines.backup.postgres_tools import find_program


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What Debian has installed."""
    found: list[Path] = []

    class Folder:
        def __init__(self, place: str) -> None:
            assert place == "/usr/lib/postgresql"

        def glob(self, pattern: str) -> list[Path]:
            assert pattern == "*/bin/pg_dump"
            return found

    monkeypatch.setattr(postgres_tools, "Path", lambda place: Folder(place) if place == "/usr/lib/postgresql" else Path(place))
    monkeypatch.setattr(postgres_tools.shutil, "which", lambda name: None)
    return found


def test_the_newest_version_comes_first_by_its_number(installed: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_tools.shutil, "which", lambda name: f"/usr/bin/{name}")
    installed += [Path(f"/usr/lib/postgresql/{version}/bin/pg_dump") for version in ("9.6", "15", "14")]
    assert find_program("pg_dump") == Path("/usr/lib/postgresql/15/bin/pg_dump")


def test_else_the_one_on_the_path(installed: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_tools.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert find_program("pg_dump") == Path("/usr/bin/pg_dump")


def test_where_there_is_none_it_is_said_how_to_get_it(installed: list[Path]) -> None:
    with pytest.raises(ChurnError, match=r"pg_dump is not here; on Debian: apt-get install postgresql-client"):
        find_program("pg_dump")
