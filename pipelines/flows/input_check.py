"""Tell whether an input that another system writes is there, of this night, and whole, before anything is made of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from churn.clock import CLOCK_SKEW
from churn.data.file_kind import file_kind, is_parquet
from churn.errors import InputError
from churn.one_line import one_line

# What Spark, and others that write folders, put there last.
MARKER = "_SUCCESS"
_Look = dict[Path, tuple[int, int]]


def require_whole(
    source: Path,
    *,
    settle_seconds: float,
    max_age_seconds: float,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make sure that an input is whole, as far as that can be seen from outside.

    Parameters
    ----------
    source : Path
        File, or folder with the marker `_SUCCESS`.
    settle_seconds : float
        How long it must not change.
    max_age_seconds : float
        An older one is that of another night; 0: any age will do.
    clock, sleep : callable
        As of `time`.

    Raises
    ------
    InputError
        If it is not there, too old, dated ahead, still being written, or ends in the middle.
    """
    first = _look(source)
    age = clock() - max(mtime for _, mtime in first.values()) / 1e9
    if max_age_seconds and age > max_age_seconds:
        raise InputError(
            f"{source}: is {age / 3600:.1f} hours old, and CHURN_SCORE_MAX_AGE_SECONDS allows {max_age_seconds / 3600:.1f}: "
            "that of this night is late"
        )
    if max_age_seconds and -age > CLOCK_SKEW.total_seconds():
        raise InputError(
            f"{source}: is dated {-age / 3600:.1f} hours ahead, and would be of this night for so long: is this clock right?"
        )
    sleep(settle_seconds)
    if _look(source) != first:
        raise InputError(f"{source}: is still being written; try again when it is whole")
    for path in first:
        if path.name != MARKER:
            _require_end(path)


def _look(source: Path) -> _Look:
    """Return the size of each file of the input, and when it was changed."""
    try:
        if not source.is_dir():
            return {source: _state(source)}
        files = [path for path in source.rglob("*") if path.is_file() and not path.name.startswith(("_", "."))]
        if not files:
            raise InputError(f"{source}: holds no file yet")
        marker = source / MARKER
        if not marker.exists():
            raise InputError(f"{source}: has no {MARKER}, which is written last: it is not whole yet")
        found = {path: _state(path) for path in [*files, marker]}
    except FileNotFoundError as error:
        raise InputError(f"{source}: is not there yet") from error
    except OSError as error:
        raise InputError(f"{source}: not readable ({error.strerror})") from error
    if younger := [path for path in files if found[path][1] > found[marker][1]]:
        raise InputError(f"{younger[0]}: is younger than the {MARKER} of its folder: it is being written anew")
    return found


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _require_end(path: Path) -> None:
    """A zipped file shows when it is read, which is before anything is logged."""
    try:
        if is_parquet(path):
            pq.read_metadata(path)
        elif file_kind(path) != "gzip":
            with path.open("rb") as file:
                file.seek(max(path.stat().st_size - 1, 0))
                if file.read(1) not in (b"\n", b"\r"):
                    raise InputError(f"{path}: does not end with a line break: its last row may be cut off")
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: is not whole ({one_line(error, 200)})") from error
