"""The prediction log with a real store and a real disk: what it said is kept comes to the store, once and in order."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from churn.contract import load_contract
from churn.ids import new_ids
from churn.store.records import PredictionRow
from churn.store.store import Store
from service.observability.metrics import ServiceMetrics
from service.prediction_log import replayer
from service.prediction_log.lazy_store import LazyStore
from service.prediction_log.log import PredictionLog
from service.prediction_log.spool import Spool
from tests.integration.postgres import Server, postgres_server

pytestmark = pytest.mark.anyio
LIMIT_BYTES = 20_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Writer:
    """A running `log_writer`. What it prints goes to a file, so that nothing of it is lost when it is killed."""

    def __init__(self, home: Path, url: str, name: str, what: str) -> None:
        self.told = home / f"{name}.told"
        with self.told.open("wb") as told:
            command = [sys.executable, "-m", "tests.integration.log_writer", str(home), url, name, what]
            self.process = subprocess.Popen(command, stdout=told)

    def kill_after(self, ids: int) -> list[str]:
        deadline = time.monotonic() + 60
        while self.told.stat().st_size < 37 * ids:
            assert self.process.poll() is None, "it ended by itself"
            assert time.monotonic() < deadline
            time.sleep(0.001)
        self.process.kill()
        self.process.wait(120)
        return self.told.read_text().split()


def drain(home: Path, url: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.integration.log_writer", str(home), url, "last", "drain"], check=True, timeout=60
    )


def assert_there_once_and_in_order(url: str, answered: list[str]) -> None:
    store = Store.open(url)
    with store.engine.connect() as connection:
        found = connection.execute(
            sa.text("SELECT prediction_id, customer_id, model_version FROM predictions ORDER BY seq")
        ).all()
    store.close()
    assert len(answered) == len(set(answered)) > 0
    stored = [row.prediction_id for row in found]
    assert len(stored) == len(set(stored))
    assert set(answered) <= set(stored)
    # Each task waits until its rows are kept before it writes more: the store has them one after the other.
    for task in {row.customer_id for row in found}:
        numbers = [int(row.model_version) for row in found if row.customer_id == task]
        assert all(earlier < later for earlier, later in pairwise(numbers)), task


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with postgres_server() as server:
        yield server


@pytest.mark.parametrize(("seed", "kills"), [(0, 2), *(pytest.param(seed, 4, marks=pytest.mark.long) for seed in (0, 1, 2))])
def test_killed_at_any_moment_while_the_store_comes_and_goes(tmp_path: Path, seed: int, kills: int) -> None:
    url, answered = f"sqlite:///{tmp_path / 'store.db'}", list[str]()
    chance = random.Random(seed)  # noqa: S311 -- when to kill is no secret
    for kill in range(kills):
        writer = Writer(tmp_path, url, f"w{kill}", "toggle")
        answered += writer.kill_after(chance.randrange(50, 3_000))
    drain(tmp_path, url)
    assert_there_once_and_in_order(url, answered)
    assert list((tmp_path / "spool").glob("*.spool")) == []


def test_killed_with_the_store_there_everything_is_there_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    answered = Writer(tmp_path, url, "w", "steady").kill_after(2_000)
    assert_there_once_and_in_order(url, answered)
    assert not (tmp_path / "spool").exists()


def test_a_worker_takes_over_what_a_killed_one_had_on_disk(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    one, two = Writer(tmp_path, url, "one", "toggle"), Writer(tmp_path, url, "two", "toggle")
    answered = one.kill_after(1_000)
    left = {path.name for path in (tmp_path / "spool").glob("*.spool")}
    deadline = time.monotonic() + 60
    while left & {path.name for path in (tmp_path / "spool").glob("*.spool")}:
        assert time.monotonic() < deadline, "nobody took them over"
        time.sleep(0.005)
    answered += two.kill_after(1)
    drain(tmp_path, url)
    assert_there_once_and_in_order(url, answered)


def rows(count: int) -> list[PredictionRow]:
    asked = "2026-01-02 03:04:05.000006"
    return [PredictionRow(one, "c1", asked, "1", 0.25, 0.5, False, '{"state":"OH"}') for one in new_ids(count)]


@asynccontextmanager
async def running_log(home: Path, url: str, **changes: float) -> AsyncIterator[PredictionLog]:
    store = LazyStore(url, lambda url: Store.open(url, timeout_seconds=2))
    log = PredictionLog(store, Spool(home / "spool", 2**20), ServiceMetrics(load_contract()), **changes)  # type: ignore[arg-type]
    log.start()
    try:
        yield log
    finally:
        await log.close()
        store.close()


def stored(url: str) -> list[str]:
    store = Store.open(url)
    found: list[str] = store.read_predictions(load_contract())["prediction_id"].tolist()
    store.close()
    return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


def spooled(home: Path) -> int:
    return len(list((home / "spool").glob("*.spool"))) if (home / "spool").exists() else 0


async def test_the_folder_of_the_store_is_moved_away_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 0.01)
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    url, given = f"sqlite:///{there / 'store.db'}", rows(30)
    async with running_log(tmp_path, url) as log:
        await log.write(given[:10])
        there.rename(elsewhere)
        for row in given[10:20]:
            await log.write([row])
        assert await log.check() == "spool"
        elsewhere.rename(there)
        await until(lambda: spooled(tmp_path) == 0)
        await log.write(given[20:])
        assert await log.check() == "store"
    assert stored(url) == [row.prediction_id for row in given]


async def test_postgresql_lets_nobody_in_for_a_while(postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 0.01)
    given = rows(30)
    with postgres.database() as url:
        name = sa.make_url(url).database
        async with running_log(tmp_path, url) as log:
            await log.write(given[:10])
            postgres.run(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
            postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608 -- our own name
            for row in given[10:20]:
                await log.write([row])
            assert await log.check() == "spool"
            postgres.run(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
            await until(lambda: spooled(tmp_path) == 0)
            await log.write(given[20:])
        assert stored(url) == [row.prediction_id for row in given]


async def test_postgresql_hangs(postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 0.01)
    given = rows(3)
    with postgres.database() as url:
        async with running_log(tmp_path, url, hang_seconds=0.1) as log:
            await log.write(given[:1])
            # The first one may have come while the store was still being set up.
            await until(lambda: spooled(tmp_path) == 0)
            with psycopg.connect(url) as other:
                other.execute("LOCK TABLE predictions")
                for row in given[1:]:
                    await log.write([row])
                assert await log.check() == "spool"
            await until(lambda: spooled(tmp_path) == 0)
        assert stored(url) == [row.prediction_id for row in given]


FILL = """
import resource, sys
from pathlib import Path
from churn.errors import StoreError
from service.prediction_log.spool import Spool
from tests.integration.test_prediction_log import LIMIT_BYTES, rows

resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))
spool = Spool(Path(sys.argv[1]), 2**30)
try:
    while True:
        given = rows(7)
        spool.append(given)
        print(*[row.prediction_id for row in given], sep="\\n", flush=True)
except StoreError as error:
    print(error, file=sys.stderr)
"""


def test_a_disk_that_is_full_keeps_what_it_has_and_nothing_by_halves(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path / "spool")], capture_output=True, text=True, check=True, timeout=60
    )
    assert "the spool cannot be written" in done.stderr
    kept: list[PredictionRow] = []
    spool = Spool(tmp_path / "spool", 2**30)
    assert spool.adopt() == len(done.stdout.split()) > 0
    spool.replay(kept.extend)
    assert [row.prediction_id for row in kept] == done.stdout.split()
    assert list((tmp_path / "spool").iterdir()) == [], "a half of a record was found"
