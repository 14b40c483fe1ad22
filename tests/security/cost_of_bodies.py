"""A service in a process of its own that is sent attacks one by one: what each costs in memory and processor time.

`python -m tests.security.cost_of_bodies FOLDER SEED COUNT [SKIP]` prints a JSON line an attack: of the handmade ones
if COUNT is 0, else of so many generated ones.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import httpx2

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies import generated, handmade
from churn.store.records import PredictionRow
from service.app import create_app
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings, running


class ForgetfulStore(FakeStore):
    """Takes everything, and keeps nothing: only the service's own memory counts."""

    def write_rows(self, rows: Sequence[PredictionRow], /) -> None:
        """Forget them."""


def peak_bytes() -> int:
    """Return the most memory that was in use since the last `start_anew`."""
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) * 1024


def start_anew() -> int:
    """Give back what is free, forget the peak, and return what is in use."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes()


async def measure(client: httpx2.AsyncClient, attack: Attack) -> dict[str, object]:
    """Send an attack."""
    before, begun = start_anew(), time.process_time()
    answer = await client.request(attack.method, attack.path, content=attack.body, headers=attack.headers)
    seconds = time.process_time() - begun
    found = {"status": answer.status_code, "answer": len(answer.content), "seconds": round(seconds, 3)}
    return {"name": attack.name, "body": len(attack.body), "memory": peak_bytes() - before, **found}


async def main(folder: Path, seed: int, count: int) -> None:
    app = create_app(
        make_settings(folder),
        registry=FakeRegistry(make_model("1")),
        store=ForgetfulStore(),
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    attacks: Iterator[Attack] = generated(seed, range(count)) if count else handmade()
    async with running(app) as client:
        await client.post("/predict/batch", json={"customers": [{"state": "OH"}] * 300})
        for attack in islice(attacks, int(sys.argv[4]) if len(sys.argv) > 4 else 0, None):
            sys.stdout.write(json.dumps(await measure(client, attack)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
