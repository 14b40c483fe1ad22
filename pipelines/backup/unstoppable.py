"""A step that takes a moment and must not be left half done: Ctrl-C, `kill` and a closed terminal come too late for it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def unstoppable() -> Iterator[None]:
    """Ignore what would stop the process, for a `with` block.

    Python raises KeyboardInterrupt between any two steps, also between a step and the note that it was done; and again in what
    would undo them. Outside of the main thread nothing is changed, as there is nothing to be raised there.

    Yields
    ------
    None
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None is a handler that was not set by Python, and cannot be set again by it.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
