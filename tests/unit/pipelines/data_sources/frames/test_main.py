"""The child: xz with a bound, CSV as pandas writes it, and a process that may take little."""

from __future__ import annotations

import lzma
import resource
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipelines.data_sources.frames import __main__ as child
from pipelines.data_sources.frames.__main__ import MAX_BYTES, to_csv, unpack
from pipelines.data_sources.frames.records import UnreadableFrame

ENVIRONMENT = {"PYTHONPATH": str(Path(child.__file__).parents[3])}


def test_what_was_packed_is_unpacked() -> None:
    assert unpack(lzma.compress(b"customers")) == b"customers"
    assert len(unpack(lzma.compress(bytes(MAX_BYTES), preset=0))) == MAX_BYTES


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "truncated"),
        (b"no xz at all", "no xz"),
        (lzma.compress(b"customers" * 100)[:-10], "truncated"),
        (lzma.compress(b"customers", lzma.FORMAT_ALONE), "no xz"),
        (lzma.compress(bytes(MAX_BYTES + 1), preset=0), "more than 16,777,216 bytes unpacked"),
    ],
)
def test_no_xz_half_of_it_and_a_bomb_are_refused(content: bytes, words: str) -> None:
    with pytest.raises(UnreadableFrame, match=words):
        unpack(content)


def test_xz_that_wants_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "MAX_XZ_MEMORY", 2**16)
    with pytest.raises(UnreadableFrame, match="no xz: Memory usage limit"):
        unpack(lzma.compress(b"customers"))


COLUMNS = {
    "state": ["KS", "a,b", 'say "no"', "nan"],
    "minutes": [265.1, float("nan"), 1e-7, 1e16],
    "calls": [110, 0, -5, 2**40],
    "plan": ["no", "yes", "no", "yes"],
}


def test_it_is_the_csv_that_pandas_writes() -> None:
    headings = {"plan": "Plan", "minutes": "Total, minutes", "state": "State", "calls": "Calls"}
    expected = pd.DataFrame(COLUMNS).rename(columns=headings)[list(headings.values())]
    assert to_csv(COLUMNS, headings, {}) == expected.to_csv(index=False, lineterminator="\n")


def test_levels_are_spelled_otherwise_and_only_those_columns_are_written_that_are_asked_for() -> None:
    assert to_csv(COLUMNS, {"plan": "P"}, {"plan": {"no": "False", "yes": "True"}}) == "P\nFalse\nTrue\nFalse\nTrue\n"


def test_what_cannot_be_written_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreadableFrame, match="no column 'age'"):
        to_csv(COLUMNS, {"age": "Age"}, {})
    with pytest.raises(UnreadableFrame, match="an unknown level in 'plan'"):
        to_csv(COLUMNS, {"plan": "Plan"}, {"plan": {"yes": "Yes"}})
    monkeypatch.setattr(child, "MAX_BYTES", 10)
    assert to_csv(COLUMNS, {"plan": "Plan"}, {}).startswith("Plan\n")
    with pytest.raises(UnreadableFrame, match="too much text"):
        to_csv({"plan": ["x" * 6] * 2}, {"plan": "Plan"}, {})


def test_the_process_limits_itself_and_keeps_limits_that_are_lower() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (9, 9)); "
        "from pipelines.data_sources.frames.__main__ import *; limit_this_process(); "
        "print([resource.getrlimit(what) for what in "
        "(resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)])"
    )
    ran = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    limits = [child.MAX_MEMORY, 9, 2 * MAX_BYTES, 0]
    assert ran.stdout.strip() == str([(limit, limit) for limit in limits])
    assert resource.getrlimit(resource.RLIMIT_CPU) != (9, 9)


def test_thousands_of_spoiled_pickles_end_in_an_error_or_in_rows(tmp_path: Path) -> None:
    """Bytes of a good pickle are changed at random (seed 17): the child refuses each, or reads rows of the same size."""
    code = """
import random, sys
from pathlib import Path
from pipelines.data_sources.frames.__main__ import limit_this_process
from pipelines.data_sources.frames.columns import read_columns
from pipelines.data_sources.frames.records import UnreadableFrame
limit_this_process()
good, chance, ends = Path(sys.argv[1]).read_bytes(), random.Random(17), {}
for _ in range(3_000):
    spoiled = bytearray(good)
    for _ in range(chance.choice([1, 1, 2, 8])):
        spoiled[chance.randrange(len(good))] = chance.randrange(256)
    try:
        end = {len(cells) for cells in read_columns(bytes(spoiled), 3).values()} == {3}
    except (UnreadableFrame, MemoryError, RecursionError):
        end = "refused"
    ends[end] = ends.get(end, 0) + 1
print(sorted(ends, key=str))
assert ends["refused"] > 500, ends
"""
    from tests.unit.pipelines.data_sources.frames.pickled import frame, pickled

    path = tmp_path / "frame.pkl"
    path.write_bytes(pickled(frame()))
    ran = subprocess.run([sys.executable, "-c", code, path], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    # CPython writes on stderr about buffers that a truncated bytearray leaves behind.
    assert (ran.returncode, ran.stdout) == (0, "[True, 'refused']\n"), ran.stderr
