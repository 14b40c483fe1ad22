"""`pytest --processes N`: the tests are collected once, and N forks of that process run them, a file at a time.

What is imported to collect them is imported once and shared, and so is the memory that it takes. A process that dies fails the
test that it ran; another takes up the rest of the file.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import traceback
import warnings
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType

import pytest

Reports = list[dict[str, object]]


@dataclass
class Worker:
    """A fork: the end of its pipe, and the tests of the file that it was given, by number."""

    number: int
    pid: int
    watch: int
    connection: Connection
    file: list[int]
    done: int = 0
    finished: bool = False


class Processes:
    """Runs the tests of a session in forks of its process."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.workers: list[Worker] = []
        self.numbers = itertools.count(1)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if session.testsfailed or session.config.option.collectonly:
            return None
        if threading.active_count() > 1:
            names = ", ".join(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
            raise pytest.UsageError(f"an imported module started threads, which no fork would have: {names}")
        # Made before the forks: theirs lie in it.
        session.config._tmp_path_factory.getbasetemp()
        files = deque(files_of(session.items))
        try:
            for _ in range(min(self.count, len(files))):
                self._fork(session)
            while self.workers:
                self._serve(session, files)
        except KeyboardInterrupt:
            # The terminal sends it to all of them.
            raise
        except BaseException:
            for worker in self.workers:
                os.kill(worker.pid, signal.SIGINT)
            raise
        finally:
            for worker in self.workers:
                os.waitpid(worker.pid, 0)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        return True

    def _fork(self, session: pytest.Session) -> None:
        ours, theirs = Pipe()
        number = next(self.numbers)
        session.config.get_terminal_writer().flush()
        if not (pid := os.fork()):
            code = 1
            try:
                for other in self.workers:
                    other.connection.close()
                ours.close()
                run_files(session, theirs, number)
                code = 0
            except KeyboardInterrupt:
                # What the tests have started ends with their fixtures.
                session._setupstate.teardown_exact(None)
            except BaseException:  # noqa: BLE001 - whatever it is, it may not go on as the process that it is a copy of
                traceback.print_exc()
            finally:
                os._exit(code)
        theirs.close()
        self.workers.append(Worker(number, pid, os.pidfd_open(pid), ours, file=[]))

    def _serve(self, session: pytest.Session, files: deque[list[int]]) -> None:
        ready = wait([*(worker.connection for worker in self.workers), *(worker.watch for worker in self.workers)])
        for worker in list(self.workers):
            # A pipe may be kept open by a process that a test left behind: the end of the worker is its own sign.
            if worker.connection in ready or (worker.watch in ready and worker.connection.poll()):
                ended = not self._hear(session, worker, files)
            else:
                ended = worker.watch in ready
            if ended:
                self._bury(session, worker, files)

    def _hear(self, session: pytest.Session, worker: Worker, files: deque[list[int]]) -> bool:
        """Do what the worker says; return whether it said anything, and has not ended."""
        try:
            kind, content = worker.connection.recv()
        except (EOFError, ConnectionError):
            return False
        hook = session.config.hook
        if kind == "next":
            stop = session.shouldfail or session.shouldstop
            worker.file, worker.done = (files.popleft() if files and not stop else []), 0
            worker.finished = not worker.file
            with suppress(ConnectionError):
                worker.connection.send(worker.file)
        elif kind == "test":
            worker.done += 1
            for data in content:
                report = hook.pytest_report_from_serializable(config=session.config, data=data)
                hook.pytest_runtest_logreport(report=report)
            hook.pytest_runtest_logfinish(nodeid=report.nodeid, location=report.location)
        elif kind == "warning":
            text, category, filename, line, when, nodeid, location = content
            message = warnings.WarningMessage(text, type(category, (Warning,), {}), filename, line)
            named = {"warning_message": message, "when": when, "nodeid": nodeid, "location": location}
            hook.pytest_warning_recorded.call_historic(kwargs=named)
        else:
            fail(session, f"process {worker.number}", content)
        return True

    def _bury(self, session: pytest.Session, worker: Worker, files: deque[list[int]]) -> None:
        status = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        self.workers.remove(worker)
        worker.connection.close()
        os.close(worker.watch)
        if worker.finished and status == 0:
            return
        how = f"process {worker.number} ended with {f'signal {-status}' if status < 0 else f'exit code {status}'}"
        if worker.done >= len(worker.file):
            fail(session, f"process {worker.number}", how)
            return
        running, *rest = worker.file[worker.done :]
        fail(session, session.items[running].nodeid, f"{how} while it ran this test")
        if rest:
            files.appendleft(rest)
        if not (session.shouldfail or session.shouldstop):
            self._fork(session)


def files_of(items: list[pytest.Item]) -> list[list[int]]:
    """Return the places of the tests in their list, file by file."""
    places = enumerate(items)
    return [[place for place, _ in group] for _, group in itertools.groupby(places, key=lambda pair: pair[1].path)]


def fail(session: pytest.Session, nodeid: str, text: str) -> None:
    """Report a failure that no test reported itself."""
    report = pytest.TestReport(nodeid, (nodeid, None, nodeid), {}, "failed", text, "teardown")
    session.config.hook.pytest_runtest_logreport(report=report)


class Reporter:
    """Stands for the terminal in a fork: what happens is sent to the process that it is a copy of."""

    def __init__(self, config: pytest.Config, connection: Connection) -> None:
        self.config = config
        self.connection = connection
        self.reports: Reports = []
        # Where plugins write to: it is captured, as a test's own output is.
        self._tw = config.get_terminal_writer()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.reports.append(self.config.hook.pytest_report_to_serializable(config=self.config, report=report))

    def pytest_runtest_logfinish(self) -> None:
        self.connection.send(("test", self.reports))
        self.reports = []

    def pytest_warning_recorded(self, warning_message, when, nodeid, location) -> None:
        said = warning_message
        where = (said.filename, said.lineno, when, nodeid, location)
        self.connection.send(("warning", (str(said.message), said.category.__name__, *where)))


def run_files(session: pytest.Session, connection: Connection, number: int) -> None:
    """Run one file after the other, as the other end of the pipe gives them, in a process that was just forked."""
    config, state = session.config, session._setupstate
    start_anew(config, number)
    reporter = Reporter(config, connection)
    config.pluginmanager.unregister(name="terminalreporter")
    config.pluginmanager.register(reporter, "terminalreporter")
    while True:
        connection.send(("next", None))
        items = [session.items[place] for place in connection.recv()]
        try:
            # What the last file's folder and the session share may go on: only now is it known what comes next.
            state.teardown_exact(items[0] if items else None)
        except Exception:  # noqa: BLE001 - a fixture's own
            connection.send(("fixtures", traceback.format_exc()))
        if not items:
            break
        folder = items[0].getparent(pytest.File).parent
        for item, following in itertools.pairwise([*items, folder]):
            config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    try:
        # What went wrong unseen is told at the very end.
        config._ensure_unconfigure()
    except Exception:  # noqa: BLE001 - whatever a plugin found
        connection.send(("ended", traceback.format_exc()))


def start_anew(config: pytest.Config, number: int) -> None:
    """Give a fork what it may not share: the files that output is captured in, and the folder of temporary files."""
    # What multiprocessing starts anew would import pytest, as it was started here, and needs nothing of it.
    sys.modules["__main__"] = ModuleType("__main__")
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.stop_global_capturing()
    capture.start_global_capturing()
    capture.suspend_global_capture()
    factory = config._tmp_path_factory
    factory._basetemp = factory.getbasetemp() / f"process-{number}"
    factory._basetemp.mkdir(mode=0o700)


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return the folder of temporary files that all processes of a run share."""
    own = factory.getbasetemp()
    return own.parent if own.name.startswith("process-") else own
