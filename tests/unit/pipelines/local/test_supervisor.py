"""A real supervisord with programs of a few lines."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
import pytest
from supervisor.xmlrpc import Faults

from churn.errors import ChurnError
from pipelines.local.supervisor import Program, Supervisor

# Says its process id, then stays until it is told to stop, and says that too.
STAYS = """
import os, pathlib, signal, sys, time
here, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def leave(*_):
    with (here / "left").open("a") as file:
        file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
with (here / name).open("a") as file:
    file.write(f"{os.getpid()}\\n")
while True:
    time.sleep(0.05)
"""
FAILS = (sys.executable, "-u", "-c", "print('hello'); import sys; sys.exit('the port is taken 100%')")
WRONG = {"broken": FAILS, "gone": FAILS, "ghost": ("/no such folder/no such program",)}
SAYS = "import json, sys; json.dump(sys.argv[2:], open(sys.argv[1], 'w')); import time; time.sleep(60)"
ARGUMENTS = ("with blank", 'with "quotes"', "with 100% and %(here)s", "with \\ backslash", "")


def stays(here: Path, name: str) -> Program:
    script = here / "stays.py"
    script.write_text(STAYS)
    return Program(name, (sys.executable, str(script), str(here), name), lambda: bool(pids(here, name)))


def pids(here: Path, name: str) -> list[int]:
    path = here / name
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something that must happen; how long it takes does not matter."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_start_waits_until_each_is_ready_and_leaving_stops_all_last_started_first(tmp_path: Path) -> None:
    names = ["first", "second", "third"]
    with Supervisor([stays(tmp_path, name) for name in names], tmp_path / "home") as supervisor:
        assert set(supervisor.states().values()) == {"STOPPED"}
        supervisor.start("first", "second")
        running = [*pids(tmp_path, "first"), *pids(tmp_path, "second")]
        assert len(running) == 2
        assert supervisor.state("third") == "STOPPED"
        supervisor.start("third")
        running += pids(tmp_path, "third")
        daemon = psutil.Process(running[0]).ppid()
        assert supervisor.alive()
    assert not supervisor.alive()
    assert all(is_gone(pid) for pid in [*running, daemon])
    assert (tmp_path / "left").read_text().split() == ["third", "second", "first"]


def test_leaving_because_of_an_error_stops_all_too(tmp_path: Path) -> None:
    def start_one_and_nobody(supervisor: Supervisor) -> None:
        supervisor.start("one")
        supervisor.start("nobody")

    with pytest.raises(ChurnError, match="nobody"), Supervisor([stays(tmp_path, "one")], tmp_path / "home") as supervisor:
        start_one_and_nobody(supervisor)
    assert is_gone(pids(tmp_path, "one")[0])


class Several:
    """A supervisord for all tests that do not ask how one ends; in a home whose name is long and odd."""

    def __init__(self, here: Path) -> None:
        self.here = here
        self.home = here / ("long" * 30) / "100% of a home"
        self.said = here / "said.json"
        self.late_is_ready = False
        wrong = {name: Program(name, command, ready=lambda: False, retries=0) for name, command in WRONG.items()}
        late = replace(stays(here, "late"), ready=lambda: bool(pids(here, "late")) and self.late_is_ready)
        says = Program("says", (sys.executable, "-c", SAYS, str(self.said), *ARGUMENTS), self.said.exists)
        self.supervisor = Supervisor([stays(here, "one"), stays(here, "quick"), late, says, *wrong.values()], self.home)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    several = Several(tmp_path_factory.mktemp("several"))
    with several.supervisor:
        # Waited for by one test; meanwhile the others run.
        several.supervisor.launch("one", "says")
        yield several


def test_launch_waits_for_nobody_and_wait_tells_who_is_ready_in_that_order(several: Several) -> None:
    told: list[str] = []

    def tell(name: str) -> None:
        told.append(name)
        several.late_is_ready = True  # not before the other was told of

    several.supervisor.launch("late", "quick")
    assert told == []
    several.supervisor.wait("late", "quick", on_ready=tell)
    assert told == ["quick", "late"]


def test_an_unknown_name_is_an_error(several: Several) -> None:
    with pytest.raises(ChurnError, match="nobody"):
        several.supervisor.start("nobody")
    with pytest.raises(ChurnError, match="nobody"):
        several.supervisor.state("nobody")


def test_a_program_that_is_not_there_is_an_error(several: Several) -> None:
    with pytest.raises(ChurnError, match="ghost"):
        several.supervisor.start("ghost")


def test_a_program_that_ends_is_an_error_that_shows_the_end_of_its_log(several: Several) -> None:
    several.supervisor.wait("one")
    with pytest.raises(ChurnError, match="broken did not start") as caught:
        several.supervisor.start("broken")
    assert caught.value.details.endswith("hello\nthe port is taken 100%")
    assert str(several.home / "logs" / "broken.log") in str(caught.value)


def test_a_program_that_ends_before_supervisord_looks_is_the_same_error(
    several: Several, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late:
        """Answers as supervisord does where what it has started is gone by the time that it looks."""

        def __init__(self, *args: Any, **further: Any) -> None:
            self.real = ServerProxy(*args, **further)
            self.supervisor = self

        def __enter__(self) -> Late:
            return self

        def __exit__(self, *_: object) -> None:
            self.real("close")()

        def __getattr__(self, method: str) -> Callable[..., Any]:
            def ask(*args: Any) -> Any:
                answer = getattr(self.real.supervisor, method)(*args)
                if method == "startProcess":
                    raise Fault(Faults.SPAWN_ERROR, f"SPAWN_ERROR: {args[0]}")
                return answer

            return ask

    monkeypatch.setattr("pipelines.local.supervisor.ServerProxy", Late)
    with pytest.raises(ChurnError, match="gone did not start") as caught:
        several.supervisor.start("gone")
    assert caught.value.details.endswith("the port is taken 100%")


def test_a_home_with_a_long_and_odd_name_works(several: Several) -> None:
    assert len(str(several.home)) > 107
    several.supervisor.wait("one")
    assert several.supervisor.log("one").parent == several.home / "logs"
    assert {path.name for path in (several.home / "logs").iterdir()} >= {"one.log", "supervisord.log"}


def test_arguments_arrive_as_they_were_given(several: Several) -> None:
    several.supervisor.wait("says")
    until(lambda: several.said.read_text().endswith("]"))
    assert tuple(json.loads(several.said.read_text())) == ARGUMENTS


def test_a_program_that_is_killed_is_started_again(several: Several) -> None:
    until(lambda: several.supervisor.state("one") == "RUNNING")  # before that, it would count as a failed start
    os.kill(pids(several.here, "one")[0], signal.SIGKILL)
    until(lambda: len(pids(several.here, "one")) == 2)
    first, second = pids(several.here, "one")
    assert is_gone(first)
    assert not is_gone(second)


PARENT = """
import sys, time
from pathlib import Path
from pipelines.local.supervisor import Program, Supervisor

sleeper = Program("sleeper", (sys.executable, "-c", "import time; time.sleep(600)"))
with Supervisor([sleeper], Path(sys.argv[1])) as supervisor:
    supervisor.start("sleeper")
    print(supervisor._call("getProcessInfo", "sleeper")["pid"], flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv, of util-linux")
def test_nothing_outlives_a_parent_that_is_killed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        sleeper = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    sleeper.wait(120)
