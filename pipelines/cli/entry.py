"""Where the program `churn` begins: with nothing but what Ctrl-C needs, as the commands take half a second to be read."""

from __future__ import annotations

import signal
import sys

from pipelines.cli.interrupted import INTERRUPTED, STOPPED


def main() -> None:
    """Run the command; Ctrl-C, however early, is one line and no traceback."""
    try:
        stop_as_by_ctrl_c()
        from pipelines.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write(f"churn: {STOPPED}\n")
        sys.exit(INTERRUPTED)


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
