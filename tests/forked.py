"""`churn`, or a function, in a fork of this process: what it imports is imported already, which takes a program seconds.

Whatever it starts (threads, clients, workers of events) ends with it, and nothing of it stays in the process of the tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from contextlib import ExitStack


def churn(*arguments: str, environment: dict[str, str], answer: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, whose locks and connections are its own.

    Parameters
    ----------
    *arguments : str
        After `churn`.
    environment : dict of str to str
        All of the command's.
    answer : str
        What it reads from its standard input.

    Returns
    -------
    subprocess.CompletedProcess
    """
    return run(lambda: _command(arguments), ["churn", *arguments], environment=environment, answer=answer)


def run(
    work: Callable[[], object], name: list[str], *, environment: dict[str, str], answer: str = ""
) -> subprocess.CompletedProcess[str]:
    """Call a function as a program is run.

    Parameters
    ----------
    work : callable
        What it raises is written to its standard error, and makes its exit code 1.
    name : list of str
        What the program is called.
    environment : dict of str to str
        All of the program's.
    answer : str
        What it reads from its standard input.

    Returns
    -------
    subprocess.CompletedProcess
    """
    with ExitStack() as opened:
        files = [opened.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        files[0].write(answer.encode())
        files[0].seek(0)
        with warnings.catch_warnings():
            # Python 3.12 warns where there are threads: the command uses nothing that one of them may hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            code = 70
            try:
                code = _called(work, environment, [file.fileno() for file in files])
            finally:
                os._exit(code)  # whatever happens: it must not go on as its parent
        try:
            _, status = os.waitpid(child, 0)
        except BaseException:  # the time of the test is up
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
        said = []
        for file in files[1:]:
            file.seek(0)
            said.append(file.read().decode())
    return subprocess.CompletedProcess(name, os.waitstatus_to_exitcode(status), *said)


def _command(arguments: tuple[str, ...]) -> None:
    sys.argv = ["churn", *arguments]
    from pipelines.cli.main import main

    main()


def _called(work: Callable[[], object], environment: dict[str, str], files: list[int]) -> int:
    for number, file in enumerate(files):
        os.dup2(file, number)
    sys.stdin, sys.stdout, sys.stderr = (open(number, "w" if number else "r", closefd=False) for number in range(3))  # noqa: SIM115 -- for as long as the process lives
    os.environ.clear()
    os.environ.update(environment)
    code = 0
    try:
        work()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 -- as Python itself does for a program
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code
