"""A published frame becomes the pinned bytes, in a child process, or an error in one line."""

from __future__ import annotations

import hashlib
import lzma
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from churn.errors import InputError
from pipelines.data_sources.frames import convert as module
from pipelines.data_sources.frames.convert import PublishedFrame, convert, read_in_child
from tests.unit.pipelines.data_sources.frames.pickled import frame, packed

CSV = b"State,Minutes,Plan\nKS,265.1,No\nOH,161.6,Yes\nNJ,,No\n"
PACKED = packed(frame())
FRAME = PublishedFrame(
    member="package/frame.pkl.compress",
    sha256=hashlib.sha256(PACKED).hexdigest(),
    rows=3,
    headings={"state": "State", "minutes": "Minutes", "plan": "Plan"},
    levels={"plan": {"yes": "Yes", "no": "No"}},
    csv_md5=hashlib.md5(CSV, usedforsecurity=False).hexdigest(),
)


def test_the_first_rows_become_the_pinned_bytes() -> None:
    assert convert(FRAME, PACKED) == CSV


def test_another_member_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "read_in_child", lambda *_: pytest.fail("it was read"))
    with pytest.raises(InputError, match=r"frame\.pkl\.compress: its sha256 is .*, not the pinned .*; it is not read"):
        convert(FRAME, PACKED + b"\0")


def test_other_customers_than_the_pinned_ones_are_not_used() -> None:
    with pytest.raises(InputError, match=r"the md5 of its customers is .*, not the pinned .*; they are not used"):
        convert(replace(FRAME, csv_md5="0" * 32), PACKED)


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch witness",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (packed(Hostile()), "the pickle asks for posix.system"),
        (packed(b"no pickle"), "no pickled frame"),
        (b"no xz, but as long as its head", "no xz"),
        # A memo that has a place for two thousand million things: more memory than the child may have.
        (packed(b"\x80\x04Nr\xff\xff\xff\x7f0N."), "MemoryError"),
        # Deeper than any stack.
        (packed(pickle.dumps(None)[:-1] + b"\x85" * 10**6 + b"."), "no Frame"),
        # One text, a thousand times.
        (packed(frame(state=["x" * 5 * 2**20] * 4)), "too much text"),
    ],
    ids=["code", "no pickle", "no xz", "memory", "depth", "text"],
)
def test_what_the_child_refuses_is_one_line(content: bytes, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        read_in_child(replace(FRAME, rows=4), content)
    assert str(caught.value).startswith("package/frame.pkl.compress: cannot be read (")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of pairs of pairs of pairs: hashing it takes for ever, in one call of C."""
    key = b"\x80\x04K\x01" + b"2\x86" * 100
    monkeypatch.setattr(module, "MAX_SECONDS", 1)
    with pytest.raises(InputError, match="not read within 1 s"):
        read_in_child(FRAME, lzma.compress(b"\x80\x04}" + key[2:] + b"Ns."))


def test_the_child_is_given_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither secrets, nor what would make its Python start otherwise."""
    (tmp_path / "pickle.py").write_text("raise SystemExit('another pickle')")
    (tmp_path / "lzma.py").write_text("raise SystemExit('another lzma')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "pickle.py"))
    monkeypatch.setenv("CHURN_API_KEY", "secret")
    given: list[dict[str, str]] = []
    run = module.subprocess.run

    def watched(*arguments: object, **options: object) -> object:
        given.append(options["env"])
        return run(*arguments, **options)

    monkeypatch.setattr(module.subprocess, "run", watched)
    assert convert(FRAME, PACKED) == CSV
    assert set(given[0]) <= {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH"}
