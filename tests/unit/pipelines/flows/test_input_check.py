"""An input of which something is missing, or that is of another night, is refused before it is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.errors import InputError
from pipelines.flows.input_check import require_whole

WRITTEN = 1_000_000
HOUR = 3_600.0


def check(source: Path, *, age: float = 60.0, meanwhile: Callable[[], object] = lambda: None, max_age: float = HOUR) -> None:
    def sleep(seconds: float) -> None:
        assert seconds == 7.0
        meanwhile()

    require_whole(source, settle_seconds=7.0, max_age_seconds=max_age, clock=lambda: WRITTEN + age, sleep=sleep)


def write(path: Path, content: bytes = b"a,b\n1,2\n", at: float = WRITTEN) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at, at))
    return path


def parquet(path: Path, at: float = WRITTEN) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"a": list(range(1_000))}), path)
    os.utime(path, (at, at))
    return path


def refused(source: Path, why: str, **how: object) -> None:
    with pytest.raises(InputError, match=why):
        check(source, **how)  # type: ignore[arg-type]


def test_whole_files_are_taken(tmp_path: Path) -> None:
    check(write(tmp_path / "in.csv"))
    check(parquet(tmp_path / "in.parquet"))
    check(write(tmp_path / "old.csv"), age=50 * HOUR, max_age=0.0)


def test_a_file_that_is_late_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "in.csv", "is not there yet")
    refused(write(tmp_path / "in.csv"), "is 2.0 hours old.*that of this night is late", age=2 * HOUR)


def test_a_file_that_is_dated_ahead_would_be_of_tonight_for_many_nights(tmp_path: Path) -> None:
    refused(write(tmp_path / "in.csv"), "is dated 48.0 hours ahead.*is this clock right", age=-48 * HOUR)
    check(write(tmp_path / "in.csv"), age=-290.0)  # another host's clock
    check(write(tmp_path / "in.csv"), age=-48 * HOUR, max_age=0.0)


@pytest.mark.parametrize("change", ["grows", "is touched", "is gone"])
def test_a_file_that_is_being_written_is_refused(tmp_path: Path, change: str) -> None:
    path = write(tmp_path / "in.csv")
    changes: dict[str, tuple[Callable[[], object], str]] = {
        "grows": (lambda: write(path, b"a,b\n1,2\n3,4\n"), "still being written"),
        "is touched": (lambda: os.utime(path, (WRITTEN + 1, WRITTEN + 1)), "still being written"),
        "is gone": (path.unlink, "is not there yet"),
    }
    meanwhile, why = changes[change]
    refused(path, why, meanwhile=meanwhile)


def test_a_file_that_ends_in_the_middle_is_refused(tmp_path: Path) -> None:
    refused(write(tmp_path / "in.csv", b"a,b\n1,2\n3,"), "does not end with a line break")
    refused(write(tmp_path / "none.csv", b""), "does not end with a line break")
    whole = parquet(tmp_path / "in.parquet").read_bytes()
    refused(write(tmp_path / "cut.parquet", whole[: len(whole) // 2]), "cut.parquet: is not whole")


def test_a_folder_is_whole_when_its_marker_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    refused(folder, "is not there yet")
    folder.mkdir()
    refused(folder, "holds no file yet")
    parquet(folder / "region=north" / "part-0.parquet")
    refused(folder, "has no _SUCCESS")
    write(folder / "_SUCCESS", b"", WRITTEN + 1)
    check(folder)
    parquet(folder / "part-1.parquet", WRITTEN + 2)
    refused(folder, "part-1.parquet: is younger than the _SUCCESS")
    write(folder / "_SUCCESS", b"", WRITTEN + 2)
    check(folder)
    refused(folder, "still being written", meanwhile=lambda: parquet(folder / "part-2.parquet"))
