"""A process that writes to the prediction log as fast as it can and says what it was told is kept. Tests start and kill it.

Usage: python -m tests.integration.log_writer HOME STORE_URL NAME toggle|steady|drain

Several tasks write groups of rows, one after the other, each numbered; the ids of a group are printed when it is kept. With
`toggle` the store goes away and comes back every few milliseconds; with `drain` nothing is written, and it ends when the spool
is empty.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from churn.contract import load_contract
from churn.errors import StoreError
from churn.ids import new_ids
from churn.store.records import PredictionRow
from churn.store.store import Store
from service.observability.metrics import ServiceMetrics
from service.prediction_log import group_commit, replayer, sink
from service.prediction_log.lazy_store import LazyStore
from service.prediction_log.log import PredictionLog
from service.prediction_log.spool import Spool

TASKS = 4


class Toggled(LazyStore):
    """A store that is away now and then."""

    away = False

    def write_rows(self, rows: Sequence[PredictionRow], /) -> None:
        if self.away:
            raise StoreError("away")
        super().write_rows(rows)


async def write_on(log: PredictionLog, name: str) -> None:
    number = 0
    while True:
        rows = [
            PredictionRow(one, name, "2026-01-02 03:04:05.000006", str(number + place), 0.25, 0.5, False, "{}")
            for place, one in enumerate(new_ids(1 + number % 7))
        ]
        number += len(rows)
        await log.write(rows)
        os.write(1, "".join(f"{row.prediction_id}\n" for row in rows).encode())


async def toggle(store: Toggled) -> None:
    while True:
        await asyncio.sleep(0.02)
        store.away = not store.away


async def main(home: Path, url: str, name: str, what: str) -> None:
    replayer.REPLAY_SECONDS, replayer.ADOPT_SECONDS = 0.005, 0.01
    # A batch of several pieces must be kept whole, too.
    group_commit.PIECE_ROWS = 4
    store, spool = Toggled(url, Store.open), Spool(home / "spool", 2**30)
    store.ping()
    log = PredictionLog(store, spool, ServiceMetrics(load_contract()))
    log.start()
    if what == "drain":
        while not spool.empty:
            await asyncio.sleep(0.01)
        await log.close()
        store.close()
        return
    tasks = [write_on(log, f"{name}-{task}") for task in range(TASKS)]
    await asyncio.gather(*tasks, *([toggle(store)] if what == "toggle" else []))


if __name__ == "__main__":
    logging.disable()
    sink.logger.disabled = True
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
