"""Disks that are full: PostgreSQL's, SQLite's, the spool's. They are small file systems in memory, which only root can mount."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.chaos.scenarios import Row, Size, scenario
from benchmarks.chaos.service.load import Load
from benchmarks.chaos.service.system import Service, serving
from benchmarks.chaos.store.account import enter
from tools.postgres import Cluster, NotHere, end

ANSWERS = 60
BLOCK = bytes(64 * 2**10)


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """Mount a small file system for a `with` block; `NotHere` for whoever may not."""
    if os.geteuid() != 0:
        raise NotHere("a small disk can only be mounted by root")
    # Short: a socket's path has 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="churn-disk-"))
    try:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "churn-chaos", str(folder)]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotHere(f"no small disk can be mounted here: {done.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
    finally:
        folder.rmdir()


def fill(folder: Path) -> Path:
    """Fill a disk to its last byte; give the file that did it."""
    file = folder / "filler"
    with file.open("ab", buffering=0) as out:
        for size in (len(BLOCK), 1):
            try:
                while True:
                    if out.write(BLOCK[:size]) < size:
                        break
            except OSError:
                continue
    return file


@scenario("postgres-disk-full")
def postgres_disk_full(size: Size) -> Row:
    """PostgreSQL's disk is full: it takes no rows, or crashes for want of room for its log. The spool does."""
    row = Row("postgres-disk-full")
    with small_disk(160) as disk:
        cluster = Cluster(disk, {"min_wal_size": "2MB", "max_wal_size": "4MB"}, ["--wal-segsize=1"])
        cluster.start()
        try:
            with cluster.database() as url, serving(size.work / "home", url) as service:
                with Load(service.address, rate=size.rate) as load:
                    for _ in range(int(size.pick(1, 5))):
                        load.wait_for(ANSWERS)
                        filler = fill(disk)
                        row.faults += 1
                        service.wait_for_place("spool")
                        load.wait_for(ANSWERS)
                        filler.unlink()
                        _revive(cluster)
                        service.wait_for_place("store")
                    load.wait_for(ANSWERS)
                service.wait_for_place("store")
                enter(row, url, load.tally)
        finally:
            end(cluster)
    row.expect(f"no prediction fails ({load.tally.failed[:1]})", not row.failed + row.cut)
    return row


@scenario("sqlite-disk-full")
def sqlite_disk_full(size: Size) -> Row:
    """SQLite's disk is full; the spool is on another one."""
    with small_disk(32) as disk:
        url = f"sqlite:///{disk / 'store.db'}"
        with serving(size.work / "home", url) as service:
            row = _filled(Row("sqlite-disk-full"), service, disk, size, url, "spool")
    row.expect("no prediction fails", not row.failed + row.cut)
    return row


@scenario("home-disk-full")
def home_disk_full(size: Size) -> Row:
    """The disk of CHURN_HOME is full, with store and spool on it: 503 and never a false answer, until there is room."""
    with small_disk(32) as disk:
        url = f"sqlite:///{disk / 'home' / 'store.db'}"
        with serving(disk / "home", url) as service:
            row = _filled(Row("home-disk-full"), service, disk, size, url, "nowhere")
    row.expect("those that cannot be kept are told so", row.failed)
    row.expect("nobody is cut off", not row.cut)
    row.note = f"{row.failed:,} answered 503 while the disk was full, as promised; none of them 200"
    return row


def _filled(row: Row, service: Service, disk: Path, size: Size, url: str, place: str) -> Row:
    with Load(service.address, rate=size.rate) as load:
        for _ in range(int(size.pick(1, 5))):
            load.wait_for(ANSWERS)
            filler = fill(disk)
            row.faults += 1
            if place == "nowhere":
                service.wait_until(lambda: service.get("/readyz").status_code == 503)
                load.wait_for_failures(len(load.tally.failed) + ANSWERS)
            else:
                service.wait_for_place(place)
                load.wait_for(ANSWERS)
            filler.unlink()
            # By itself: nobody restarts it.
            service.wait_for_place("store")
        load.wait_for(ANSWERS)
    service.wait_for_place("store")
    row.expect(f"problems are told as such ({set(load.tally.failed)})", set(load.tally.failed) <= {"503 The store is away"})
    return enter(row, url, load.tally)


def _revive(cluster: Cluster) -> None:
    """Start the server if the full disk has brought it down: somebody must, when there is room again."""
    if not (cluster.data / "postmaster.pid").exists():
        cluster.start()
