"""A spool that was damaged while nobody looked: what is whole gets to the store, the rest is set aside."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.chaos.scenarios import Row, Size, scenario
from benchmarks.chaos.service.load import Load
from benchmarks.chaos.service.system import Service
from benchmarks.chaos.store.account import enter, stored_ids
from churn.ids import new_id
from churn.store.records import PredictionRow
from service.prediction_log.spool import Spool
from service.prediction_log.spool_segment import SUFFIX

RECORDS, ANSWERS = 20, 40


@scenario("spool-damaged")
def spool_damaged(size: Size) -> Row:
    """Start the service on a spool with flipped bits, cut ends, empty files and garbage."""
    row, url, home = Row("spool-damaged"), f"sqlite:///{size.work / 'store.db'}", size.work / "home"
    chance, folder = random.Random(7), home / "spool"  # noqa: S311 -- the same damage each time
    whole: set[str] = set()
    for _ in range(int(size.pick(1, 20))):
        whole |= _segment(folder)
        whole |= _segment(folder, flip=chance.randrange(RECORDS), chance=chance)
        whole |= _segment(folder, cut=chance.randrange(1, 100))
        for content in (b"", b"\0", chance.randbytes(100), chance.randbytes(100_000), bytes(4_096)):
            (folder / f"{new_id()}{SUFFIX}").write_bytes(content)
        row.faults += 7
    service = Service(home, url)
    try:
        service.start().wait_for_place("store")
        with Load(service.address, rate=size.rate) as load:
            load.wait_for(ANSWERS)
    finally:
        service.stop()
    enter(row, url, load.tally)
    row.made += len(whole)
    lost = whole - stored_ids(url)
    row.lost += len(lost)
    row.expect("whole records get to the store", not lost)
    row.expect("what is damaged is set aside", list(folder.glob("*.bad")))
    row.expect("nothing is looked at again and again", not list(folder.glob(f"*{SUFFIX}")))
    row.expect("no prediction fails", not row.failed + row.cut)
    return row


def _segment(folder: Path, *, flip: int | None = None, cut: int = 0, chance: random.Random | None = None) -> set[str]:
    """Make a segment as a worker that was killed left it, and damage it; give the ids of the records that are whole."""
    spool, ends, kept = Spool(folder, 2**30), [0], []
    before = set(folder.glob(f"*{SUFFIX}"))
    for _ in range(RECORDS):
        one = PredictionRow(new_id(), f"spooled-{new_id()}", "2026-01-02 03:04:05.000006", "1", 0.25, 0.5, False, "{}")
        spool.append([one])
        kept.append(one.prediction_id)
        ends.append(next(iter(set(folder.glob(f"*{SUFFIX}")) - before)).stat().st_size)
    spool.close()
    (file,) = set(folder.glob(f"*{SUFFIX}")) - before
    data = bytearray(file.read_bytes())
    if flip is not None and chance is not None:
        # Behind the header: a damaged length hides all that follows.
        place = chance.randrange(ends[flip] + 8, ends[flip + 1])
        data[place] ^= 1 << chance.randrange(8)
        del kept[flip]
    if cut:
        del data[-cut:]
        kept.pop()
    file.write_bytes(data)
    return set(kept)
