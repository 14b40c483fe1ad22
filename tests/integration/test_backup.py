"""A system that is backed up while it is used, and restored elsewhere, is the same system: table by table, and it answers."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import sqlalchemy as sa

from churn.config.settings import Settings
from churn.contract import Contract
from churn.errors import ChurnError, InputError
from churn.ids import new_id
from churn.lifecycle.promotion import promote
from churn.modeling.model import Model
from churn.modeling.training import Trained
from churn.registry.last_known_good import load_last_known_good, save_last_known_good
from churn.registry.registry import Registry
from churn.store.records import Decision, DecisionAction, DecisionKind, MonitorRun, Outcome, Prediction
from churn.store.shadow import ShadowRow
from churn.store.store import Store
from pipelines.backup.backup import Places, find_places, make_backup
from pipelines.backup.databases import ARTIFACT_COLUMNS
from pipelines.backup.restore import restore_backup
from service.app import create_app
from service.prediction_log.spool import Spool
from tests.integration.loading import loading_here
from tests.integration.postgres import Server
from tests.integration.test_registry import trained_with

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CUSTOMER = {"customer_id": "c-1", "total_day_minutes": 265.1, "customer_service_calls": 4}


@dataclass
class System:
    """A churn on a database of one kind."""

    settings: Settings
    registry_url: str

    @property
    def places(self) -> Places:
        return find_places(self.settings, self.registry_url, None, without_registry=False)

    def open(self) -> Store:
        return Store.open(self.settings.store_url)


@pytest.fixture(params=["sqlite", "postgresql"])
def systems(
    mlflow_environment: None, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[System]]:
    """Two of a kind: one to back up, and an empty one with other paths."""
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    # An MLflow that is told of no folder keeps its artifacts in the current one.
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        made = []
        for home in (tmp_path / "old home", tmp_path / "somewhere" / "new"):
            if request.param == "sqlite":
                store, registry = f"sqlite:///{home}/store.db", f"sqlite:///{home}/mlflow.db"
            else:
                server: Server = request.getfixturevalue("postgres")
                store, registry = (stack.enter_context(server.database()) for _ in range(2))
                registry = registry.replace("postgresql:", "postgresql+psycopg:")
            made.append(System(Settings(home=home, store_url=store, tracking_uri=registry), registry))
        yield made


def prediction(n: int, version: str) -> Prediction:
    return Prediction(new_id(), f"c-{n}", NOON, version, 0.25, 0.5, False, {"total_day_minutes": float(n)})


@pytest.fixture(scope="module")
def trained(contract: Contract) -> Trained:
    return trained_with(contract, 1)


def live_for_a_while(system: System, trained: Trained) -> Model:
    """A champion, and what a system has after a few days."""
    store, registry = system.open(), Registry(system.settings)
    model = registry.register(trained, {"gate.json": {"promote": True}}, {"trigger": "test"}, card="# card\n")
    promote(registry, store, model.info, actor="gate", reason="first")
    save_last_known_good(system.settings, registry.load("champion"))
    asked = [prediction(n, "1") for n in range(50)]
    store.write_predictions(asked)
    store.write_outcomes([Outcome(True, NOON, one.prediction_id) for one in asked[::2]])
    store.write_shadow([ShadowRow(asked[0].prediction_id, "2", 0.5, True, NOON)])
    store.write_monitor_run(
        MonitorRun(new_id(), NOON, "1", 50, 25, 50, 25, False, False, {"a": [1.5, None]}),
        Decision(DecisionKind.POLICY, DecisionAction.NONE, "m", "r"),
    )
    store.write_flow_run("train", seconds=1.5, at=NOON)
    store.close()
    spool = Spool(system.settings.home / "spool", 2**20)
    spool.append([prediction(1000, "1").row()])
    spool.close()
    prefect = system.settings.home / "prefect" / "prefect.db"
    prefect.parent.mkdir()
    engine = sa.create_engine(f"sqlite:///{prefect}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE flow_run (id text)"))
        connection.execute(sa.text("INSERT INTO flow_run VALUES ('r1')"))
    engine.dispose()
    return model


def tables(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    metadata = sa.MetaData()
    with engine.connect() as connection:
        metadata.reflect(connection)
        rows = {name: sorted(map(str, connection.execute(sa.select(table)))) for name, table in metadata.tables.items()}
    engine.dispose()
    return rows  # type: ignore[return-value]


class Writer:
    """Writes predictions as fast as it can, for a `with` block."""

    def __init__(self, system: System) -> None:
        self._store = system.open()
        self._stop = threading.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.written = 0

    def _run(self) -> None:
        while not self._stop.is_set():
            self._store.write_predictions([prediction(n, "1") for n in range(10)])
            self.written += 10
            self._begun.set()

    def __enter__(self) -> Writer:
        self._thread.start()
        assert self._begun.wait(120)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(120)
        self._store.close()


def test_a_system_in_use_is_restored_elsewhere(systems: list[System], tmp_path: Path, trained: Trained) -> None:
    old, new = systems
    model = live_for_a_while(old, trained)
    archive = tmp_path / "backup.tar.gz"
    with Writer(old) as writer:
        manifest = make_backup(old.places, archive)
        before = writer.written
        while writer.written < before + 10:  # it was not held up for good
            assert writer._thread.is_alive()
    assert archive.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name or "churn-backup" in path.name] == []
    was = {url: tables(url) for url in (old.settings.store_url, old.registry_url)}
    # What is left of the old system must not be what the new one lives on.
    shutil.move(old.settings.home, tmp_path / "gone")

    new.open().close()  # set up, as a Job does it, and empty
    assert restore_backup(new.places, archive) == manifest

    store_was, store_is = was[old.settings.store_url], tables(new.settings.store_url)
    taken = manifest.databases["store"].rows["predictions"]
    assert 60 <= taken == len(store_is["predictions"]) < len(store_was["predictions"])
    assert set(store_is["predictions"]) < set(store_was["predictions"])
    assert {**store_is, "predictions": []} == {**store_was, "predictions": []}
    assert len(store_is["monitor_runs"]) == len(store_is["shadow_predictions"]) == len(store_is["flow_runs"]) == 1
    assert (len(store_is["outcomes"]), len(store_is["decisions"])) == (25, 3)

    registry_was, registry_is = was[old.registry_url], tables(new.registry_url)
    moved = {table for table, _ in ARTIFACT_COLUMNS}
    assert {n: r for n, r in registry_is.items() if n not in moved} == {n: r for n, r in registry_was.items() if n not in moved}
    root, new_root = old.places.artifact_root, new.places.artifact_root
    said = {name: [row.replace(root, new_root) for row in registry_was[name]] for name in moved}
    assert {name: registry_is[name] for name in moved} == said
    assert root not in str(registry_is)
    assert tables(f"sqlite:///{new.settings.home}/prefect/prefect.db") == {"flow_run": ["('r1',)"]}

    found = load_last_known_good(new.settings)
    assert found is not None
    assert found.info == model.info
    shutil.rmtree(new.settings.home / "models")  # so that it comes from the registry
    again = Registry(new.settings).load("champion")
    held = trained.reference[model.info.features]
    assert (again.predict_probability(held) == model.predict_probability(held)).all()
    if new.registry_url.startswith("sqlite"):
        answers_and_takes_what_waited(new, taken)


def answers_and_takes_what_waited(system: System, taken: int) -> None:
    store = system.open()

    async def ask() -> None:
        app = create_app(system.settings)
        transport = httpx2.ASGITransport(app)
        async with (
            app.lifespan(),
            httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            with anyio.fail_after(120):
                while (await client.get("/readyz")).status_code != 200:
                    await anyio.sleep(0.05)
            answer = await client.post("/predict", json=CUSTOMER)
            assert (answer.status_code, answer.json()["model_version"]) == (200, "1"), answer.text
            with anyio.fail_after(120):
                while store.count_predictions() < taken + 2:  # the answer, and what waited on disk
                    await anyio.sleep(0.05)

    with loading_here():
        anyio.run(ask)
    assert store.count_predictions() == taken + 2
    store.close()


# Without a registry, whose making takes seconds.


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A small system on SQLite, with something in each of its places."""
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    return small(tmp_path / "home")


def small(home: Path) -> Places:
    return find_places(Settings(home=home), None, None, without_registry=True)


def fill(places: Places, n: int) -> None:
    store = Store.open(places.store)
    store.write_predictions([prediction(n, "1")])
    store.close()
    (places.home / "models" / "churn").mkdir(parents=True, exist_ok=True)
    (places.home / "models" / "churn" / "last-known-good.json").write_text(str(n))
    spool = Spool(places.home / "spool", 2**20)
    spool.append([prediction(n, "1").row()])
    spool.close()


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def customers(places: Places) -> list[str]:
    store = Store.open(places.store)
    with store.engine.connect() as connection:
        found = connection.execute(sa.text("SELECT customer_id FROM predictions")).scalars().all()
    store.close()
    return list(found)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    made = tmp_path / "backup.tar.gz"
    origin = small(tmp_path / "origin")
    fill(origin, 7)
    make_backup(origin, made)
    return made


def test_what_is_there_is_replaced_only_if_said(places: Places, archive: Path) -> None:
    fill(places, 1)
    before = content(places.home)
    with pytest.raises(InputError, match="--overwrite"):
        restore_backup(places, archive)
    assert content(places.home) == before
    (places.home / "store.db-wal").write_bytes(b"of the old database")
    restore_backup(places, archive, overwrite=True)
    assert not (places.home / "store.db-wal").exists(), "it would be taken for a part of the new one"
    assert customers(places) == ["c-7"]
    assert (places.home / "models" / "churn" / "last-known-good.json").read_text() == "7"
    assert len(list((places.home / "spool").iterdir())) == 1, "the other system's spool must not be fed to this store"
    assert [path.name for path in places.home.iterdir() if path.name.startswith(".")] == []


def test_what_is_left_out_is_not_restored(tmp_path: Path, places: Places) -> None:
    fill(places, 1)
    (places.home / "artifacts").mkdir()
    (places.home / "artifacts" / "one").write_text("1")
    staging = places.home / "models" / ".half-fetched"
    staging.mkdir()
    (staging / "model").write_text("half")
    registry = Store.open(f"sqlite:///{places.home}/mlflow.db")
    registry.close()
    archive = tmp_path / "whole.tar.gz"
    manifest = make_backup(find_places(Settings(home=places.home), None, None, without_registry=False), archive)
    assert set(manifest.databases) == {"store", "registry"}
    assert {name for name in manifest.parts if not name.startswith("spool")} == {
        *("store.sqlite", "registry.sqlite", "artifacts/one", "models/churn/last-known-good.json")
    }
    restore_backup(small(tmp_path / "new"), archive)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["models", "spool", "store.db"]


def test_a_file_that_cannot_be_written_is_one_line(places: Places, tmp_path: Path) -> None:
    with pytest.raises(ChurnError, match="cannot be written"):
        make_backup(places, tmp_path / f"{'x' * 250}.tar.gz")  # longer than a file's name may be


def test_a_store_that_was_only_set_up_is_empty(places: Places, archive: Path) -> None:
    Store.open(places.store).close()
    restore_backup(places, archive)
    assert customers(places) == ["c-7"]


def test_files_that_cannot_be_moved_leave_everything_as_it_was(
    places: Places, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(places, 1)
    before = content(places.home)
    rename, renamed = Path.rename, list[Path]()

    def fail_in_the_middle(path: Path, target: Path) -> Path:
        renamed.append(path)
        if len(renamed) == 4:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_in_the_middle)
    with pytest.raises(ChurnError, match="as they were"):
        restore_backup(places, archive, overwrite=True)
    assert len(renamed) > 4
    assert content(places.home) == before


def test_a_backup_is_there_whole_or_not_at_all(tmp_path: Path, places: Places) -> None:
    fill(places, 1)
    (places.home / "store.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(ChurnError, match="cannot be copied"):
        make_backup(places, tmp_path / "backup.tar.gz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_a_backup_is_never_written_over(places: Places, archive: Path) -> None:
    before = archive.read_bytes()
    with pytest.raises(InputError, match="there already"):
        make_backup(places, archive)
    assert archive.read_bytes() == before


def test_a_registry_that_is_a_servers_must_be_named_or_left_out(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, tracking_uri="http://mlflow:5000")
    with pytest.raises(InputError, match="--without-registry"):
        find_places(settings, None, None, without_registry=False)
    found = find_places(settings, "postgresql://mlflow@db/mlflow", "s3://models/churn/", without_registry=False)
    assert (found.artifact_folder, found.artifact_root) == (None, "s3://models/churn")
