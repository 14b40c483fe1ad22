"""Which plans PostgreSQL really ran: told by the server itself of every statement, whoever sent it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from churn.store.store import Store

PLAN = re.compile(r"duration: ([\d.]+) ms +plan:\s+Query Text: (.*?)\n((?:\S.*)?\(cost=.*)", re.DOTALL)
SCAN = re.compile(
    r"((?:Parallel )?(?:Seq|Index Only|Index|Bitmap Heap) Scan)(?: Backward)?(?: using (\S+))? on (?:public\.)?(\w+)"
)
BITMAP = re.compile(r"Bitmap Index Scan on (\w+)")
BUFFERS = re.compile(r"Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?")


@dataclass(frozen=True)
class Plan:
    """One statement as it was run."""

    milliseconds: float
    query: str
    text: str

    @property
    def pages(self) -> int:
        """Pages of 8 KiB that it looked at, in memory or on disk."""
        first = BUFFERS.search(self.text)
        return sum(int(number or 0) for number in first.groups()) if first else 0

    def scanned_whole(self, table: str) -> bool:
        """Tell whether it read all of a table."""
        return any("Seq Scan" in kind and name == table for kind, _, name in SCAN.findall(self.text))

    def ways(self) -> set[str]:
        """Name the indexes it went by, and the tables that it read whole."""
        found = {index for _, index, _ in SCAN.findall(self.text) if index} | set(BITMAP.findall(self.text))
        found |= {f"all of {name}" for kind, _, name in SCAN.findall(self.text) if "Seq Scan" in kind}
        return {way for way in found if "pg_database" not in way}  # which database this is


@dataclass
class Asked:
    """What one action made of the database."""

    name: str
    seconds: float
    plans: list[Plan] = field(default_factory=list)
    rows: int | None = None


class Watch:
    """Collects the plans of all that a store's connections run, once `tell_plans` is said to them."""

    def __init__(self, store: Store, *, without_seqscan: bool) -> None:
        self._heard: list[Plan] = []
        options = ["SET client_min_messages = log", *(["SET enable_seqscan = off"] if without_seqscan else [])]

        def listen(connection: Any, _record: Any) -> None:
            connection.add_notice_handler(self._hear)
            with connection.cursor() as cursor:
                for option in options:
                    cursor.execute(option)
            connection.commit()

        sa.event.listen(store.engine, "connect", listen)
        store.engine.dispose()

    def _hear(self, notice: Any) -> None:
        if found := PLAN.match(notice.message_primary or ""):
            self._heard.append(Plan(float(found[1]), found[2].strip(), found[3]))

    def ask(self, name: str, action: Callable[[], Any]) -> Asked:
        """Do something; tell how long it took and what was run for it."""
        self._heard.clear()
        started = time.perf_counter()
        given = action()
        seconds = time.perf_counter() - started
        return Asked(name, seconds, list(self._heard), given if isinstance(given, int) else None)
