"""What the three commands on containers have in common: what they print, how they end, and that they leave nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable

import httpx2

from churn.errors import ChurnError
from tools.containers.engine import Engine
from tools.postgres import NotHere


def run_command(name: str, use: Callable[[Engine, Callable[[str], None]], None]) -> int:
    """Use podman, print each thing that was seen with its second, and at last how many passed and failed.

    Parameters
    ----------
    name : str
        What errors begin with.
    use : callable
        Does the work with the engine, and says what it has seen.

    Returns
    -------
    int
        The exit code: 0 if everything is as it should be, 1 at the first that is not, 3 if this machine has no podman.
    """
    # Whoever stops it with SIGTERM leaves no containers behind either.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    began = time.monotonic()
    passed = 0

    def say(text: str) -> None:
        nonlocal passed
        passed += 1
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {text}\n")
        sys.stdout.flush()

    try:
        with Engine() as engine:
            use(engine, say)
        failed = 0
    except NotHere as missing:
        sys.stdout.write(f"{name}: skipped, {missing}\n")
        return 3
    except (ChurnError, httpx2.HTTPError, subprocess.TimeoutExpired) as error:
        sys.stdout.flush()
        sys.stderr.write(f"{name}: {type(error).__name__}: {error}\n")
        failed = 1
    sys.stdout.write(
        f"{name}: {passed} passed, {failed} failed in {time.monotonic() - began:.0f} s; no container of it is left\n"
    )
    return failed
