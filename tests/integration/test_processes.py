"""The processes that share a run's tests: each test is run and told once, whatever becomes of the process that runs it."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from tests.checkout import CHECKOUT
from tests.conftest import pytest_make_parametrize_id

RUN = "import sys, pytest; from tests.processes import Processes; sys.exit(pytest.main(sys.argv[1:], plugins=[Processes(2)]))"
CRASHES = """
import os, signal, subprocess, sys, warnings
import pytest

def test_before(): print("said before it failed"); assert [1] == [2]
def test_killed(): os.kill(os.getpid(), signal.SIGKILL)
def test_left_early(): subprocess.Popen(["sleep", "1"], close_fds=False); os._exit(0)
@pytest.mark.skip("a reason")
def test_skipped(): pass
def test_after(tmp_path, capfd):
    os.system("echo from a child")
    assert capfd.readouterr().out == "from a child\\n"
    (tmp_path / "own").touch()
"""
FIXTURES = """
import os, warnings
import pytest

@pytest.fixture(scope="session")
def broken():
    yield os.getpid()
    raise ValueError("a session's fixture broke")

def test_first(broken): assert broken == os.getpid()
def test_warned(broken): warnings.warn("mind this")
class Leaving:
    def __init__(self): self.itself = self
    def __del__(self): raise ValueError("raised where nobody sees it")
def test_leaves_a_cycle(): Leaving()
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """A run of tests that go wrong in many ways: what it said, and each test's result."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "test_crashes.py").write_text(CRASHES)
    (folder / "test_fixtures.py").write_text(FIXTURES)
    report = folder / "report.xml"
    options = [
        "-W",
        "error::pytest.PytestUnraisableExceptionWarning",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        "-p",
        "no:cacheprovider",
        f"--junit-xml={report}",
        str(folder),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *options],
        cwd=CHECKOUT,
        env=environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    cases = ET.parse(report).iter("testcase")  # noqa: S314 - pytest has just written it
    return done, {str(case.get("name")): " ".join(child.tag for child in case) for case in cases}


def test_a_process_that_dies_fails_its_test_and_the_rest_of_the_file_is_run(
    run: tuple[subprocess.CompletedProcess[str], dict[str, str]],
) -> None:
    done, results = run
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    told = {name: result for name, result in results.items() if name.startswith("test_")}
    assert told.pop("test_before") == "failure"
    assert told.pop("test_skipped") == "skipped"
    assert {told.pop(name) for name in ("test_after", "test_first", "test_warned", "test_leaves_a_cycle")} == {""}
    assert "said before it failed" in done.stdout
    assert "ended with signal 9 while it ran this test" in done.stdout
    assert "ended with exit code 0 while it ran this test" in done.stdout
    assert "4 passed, 1 skipped" in done.stdout


def test_what_a_session_shares_is_torn_down_at_the_end_and_warnings_are_told(
    run: tuple[subprocess.CompletedProcess[str], dict[str, str]],
) -> None:
    done, _ = run
    assert done.stdout.count("ValueError: a session's fixture broke") == 1
    assert "ValueError: raised where nobody sees it" in done.stdout
    assert done.stdout.count("UserWarning: mind this") == 1


def test_the_name_of_a_test_holds_no_archive_which_differs_from_second_to_second() -> None:
    made = [gzip.compress(b"the same", mtime=second) for second in (1, 2)]
    assert made[0] != made[1]
    assert [pytest_make_parametrize_id(archive, "body") for archive in made] == ["body", "body"]
    assert pytest_make_parametrize_id(b"plain text", "body") is None


@pytest.mark.long
def test_another_process_at_another_time_with_another_order_of_sets_collects_the_same_tests() -> None:
    listed = []
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "pytest", "--collect-only"]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        for name in [name for name in environment if name.startswith("PYTEST_")]:
            del environment[name]
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2_000:]
        listed.append([line for line in done.stdout.splitlines() if "::" in line])
    assert len(listed[0]) > 1_000
    assert listed[0] == listed[1]
