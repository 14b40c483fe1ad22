"""`churn up`: the whole system on this machine, in the foreground."""

from __future__ import annotations

import shutil
import signal
import threading
from itertools import count
from types import FrameType

from rich.table import Table

from churn.config.settings import Settings
from churn.errors import ChurnError
from pipelines.console import console, warn
from pipelines.local.supervisor import Supervisor
from pipelines.local.system import addresses, log_folder, running

# How often is looked what became of the programs, and how often those are started again that supervisord gave up.
LOOK_SECONDS, RETRY_SECONDS = 2, 60
# With less room than this no database and no log goes on.
MIN_FREE_BYTES = 2**20


def run(settings: Settings) -> None:
    """Start everything, print the addresses, stay until SIGINT or SIGTERM, stop everything in order."""
    stop = threading.Event()

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            return
        stop.set()
        # While things still start there is something to interrupt; later the wait below ends by itself.
        if not up:
            raise KeyboardInterrupt

    up = False
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask_to_stop)
    try:
        with running(settings) as supervisor:
            up = True
            _announce(settings)
            _stay(supervisor, stop)
            console.print("stopping")
    except KeyboardInterrupt:
        console.print("stopped before everything was up")
    console.print(f"stopped; the state stays in {settings.home}")


def _announce(settings: Settings) -> None:
    table = Table(show_header=False, box=None)
    for name, address in addresses(settings).items():
        table.add_row(f"[bold]{name}[/bold]", address)
    console.print(table)
    console.print(f"logs in {log_folder(settings)}; Ctrl-C stops")


def _stay(supervisor: Supervisor, stop: threading.Event) -> None:
    """Wait for the signal; print a warning when a program had to be restarted, and start again what supervisord gave up.

    It gives a program up that does not start for half a minute. What kept it down may pass: a full disk, a server that is away.
    """
    seen: dict[str, str] = {}
    was_full = False
    for second in count(LOOK_SECONDS, LOOK_SECONDS):
        if stop.wait(LOOK_SECONDS):
            return
        if not supervisor.alive():
            raise ChurnError("supervisord ended; nothing runs any more")
        if (is_full := shutil.disk_usage(supervisor.home).free < MIN_FREE_BYTES) and not was_full:
            warn(f"the disk of {supervisor.home} is full: make room, and what stopped goes on")
        was_full = is_full
        for name, state in supervisor.states().items():
            if state != seen.setdefault(name, state):
                if state in ("BACKOFF", "FATAL", "EXITED"):
                    warn(f"{name} is {state.lower()}; see {supervisor.log(name)}")
                elif state == "RUNNING":
                    warn(f"{name} had ended and runs again; see {supervisor.log(name)}")
                seen[name] = state
            if state == "FATAL" and second % RETRY_SECONDS == 0:
                supervisor.launch(name)
