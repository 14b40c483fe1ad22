"""Where the program `churn` begins: with nothing but what Ctrl-C needs, as the commands take half a second to be read."""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from typing import TextIO

from pipelines.cli.interrupted import INTERRUPTED, STOPPED


def main() -> None:
    """Run the command; Ctrl-C, however early, is one line and no traceback."""
    try:
        stop_as_by_ctrl_c()
        print_in_any_locale()
        from pipelines.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write(f"churn: {STOPPED}\n")
        sys.exit(INTERRUPTED)


def print_in_any_locale() -> None:
    """Let what is printed be no cause to fail: a locale may lack letters, and a caller may have closed an output."""
    # (Python has None for a closed one, though no type says so.)
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere() -> TextIO:
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def stop_as_by_ctrl_c() -> None:
    """Let `kill` and a terminal that is closed do what Ctrl-C does, so that a command takes down what it started.

    Python ends at once by these two, and a server that the command had started for itself, as Prefect's, stayed. What the
    caller ignores, as `nohup` does a closed terminal, stays ignored.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        # By way of SIGTERM, as a server has its own way to stop by that.
        signal.signal(signal.SIGHUP, lambda _number, _frame: signal.raise_signal(signal.SIGTERM))
