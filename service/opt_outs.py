"""Following who wants no contacts: read from the store beside the requests, so that no answer waits for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from churn.errors import StoreError
from churn.store.contacts.opt_outs import OptOutChanges, OptOutState
from churn.store.contacts.opted_out import OptedOut
from service.observability.metrics import ServiceMetrics
from service.threads import run_in_thread

# What any replica was told is known to all of them after so long, if the store answers.
POLL_SECONDS = 10.0
# So long the first request waits for the store at most.
FIRST_READ_SECONDS = 5.0
logger = logging.getLogger(__name__)


class OptOutFollower:
    """Keeps the set of customers who want no contacts. While the store is away, it stays what it was.

    Parameters
    ----------
    read : callable or None
        `Store.opt_out_changes`; None: nobody ever says that he wants none.
    metrics : ServiceMetrics, optional
        Where it is shown.
    pseudonym : callable, optional
        Turns ids into what the store has instead.
    poll_seconds : float
        Between two reads.

    Attributes
    ----------
    current : OptedOut
        Replaced as a whole, never changed.
    """

    def __init__(
        self,
        read: Callable[[OptOutState | None], OptOutChanges | None] | None = None,
        metrics: ServiceMetrics | None = None,
        pseudonym: Callable[[str], str] | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.current = OptedOut(pseudonym=pseudonym)
        self._read, self._metrics, self._poll_seconds = read, metrics, poll_seconds
        self._seen: OptOutState | None = None
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._first = asyncio.Event()
        self._away = False

    async def start(self) -> None:
        """Begin to follow; wait a moment for what is known so far."""
        if self._read is None:
            return
        self._task = asyncio.get_running_loop().create_task(self._follow(), name="opt-outs")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._first.wait(), FIRST_READ_SECONDS)

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def refresh_soon(self) -> None:
        """Read again now, as somebody just said something, and not after the pause."""
        self._asked.set()

    async def refresh(self) -> None:
        """Read what was said since; raise StoreError if the store is away."""
        if self._read is None:
            return
        read, before, seen = self._read, self.current, self._seen
        self.current, self._seen = await run_in_thread(lambda: _updated(read(seen), before, seen))
        if self._metrics is not None:
            self._metrics.opt_outs.set(len(self.current))
            self._metrics.opt_outs_read.set(time.time())

    async def _follow(self) -> None:
        while True:
            self._asked.clear()
            try:
                await self.refresh()
                self._away = False
            except StoreError as error:
                if not self._away:
                    logger.warning("who wants no contacts is as it was known last, %d customers: %s", len(self.current), error)
                self._away = True
            self._first.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._poll_seconds)


def _updated(found: OptOutChanges | None, before: OptedOut, seen: OptOutState | None) -> tuple[OptedOut, OptOutState | None]:
    if found is None:
        return before, seen
    # Of an emptied store nothing is left of what was known; else changes come on top.
    base = OptedOut(pseudonym=before.pseudonym) if found.state is None else before
    return base.changed(found.wanting_none, found.willing), found.state
