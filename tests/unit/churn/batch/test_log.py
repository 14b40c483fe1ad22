"""What was scored is in the store once: as the service would have logged it, whole or not said to be."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from churn.batch import log_rows
from churn.batch.log import FileLog
from churn.batch.plan import Terms
from churn.batch.run import on_threads
from churn.batch.single_file import score_file
from churn.campaigns.control_group import ControlGroup
from churn.clock import now
from churn.errors import InputError, StoreError
from churn.store.records import PredictionRow
from churn.store.store import Store
from churn.store.tables import predictions
from service.formats.csv_text import read_csv
from tests.integration.files_to_score import CONTRACT, customers, make_scorer, write_folder
from tests.unit.churn.batch.scoring import RULES, changed, score
from tests.unit.service.fakes import make_model, served_model

pytestmark = pytest.mark.usefixtures("small_pieces")
MONTH_END = datetime(2026, 2, 28, 23, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_rows, "CHUNK_ROWS", 50)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    pyarrow.csv.write_csv(customers(300), path)
    return path


def logged(store: Store) -> list[Any]:
    with store.engine.connect() as connection:
        return list(connection.execute(sa.select(predictions).order_by(predictions.c.seq)))


def log_of(store: Any, **how: Any) -> FileLog:
    return FileLog(store, "test", **how)


def test_rows_are_those_that_the_service_logs(store: Store, source: Path, tmp_path: Path) -> None:
    before = now().replace(microsecond=0)
    control = ControlGroup(0.5)
    summary = score(source, tmp_path / "out", scorer=make_scorer(control=control), log=log_of(store))
    found = logged(store)
    served = served_model(make_model(), "disk").score_columns(read_csv(source.read_bytes(), RULES, 10**6), control).rows(CONTRACT)
    assert summary.logged is not None
    assert (summary.logged.rows, summary.logged.written) == (300, 300)
    assert before <= summary.logged.requested_at <= now()
    with store.engine.connect() as connection:
        texts = list(connection.exec_driver_sql("SELECT features FROM predictions ORDER BY seq").scalars())
    assert texts == [row.features for row in served]
    same = ("customer_id", "churn_probability", "threshold", "churn", "model_version", "held_out")
    assert [[getattr(row, name) for name in same] for row in found] == [[getattr(row, name) for name in same] for row in served]
    ids = [uuid.UUID(row.prediction_id) for row in found]
    assert ids == sorted(set(ids))
    assert {(one.version, one.int >> 80) for one in ids} == {(7, int(summary.logged.requested_at.timestamp() * 1000))}
    assert {row.requested_at for row in found} == {summary.logged.requested_at}


def test_the_same_input_is_logged_once_for_a_version_whatever_it_is_called(store: Store, source: Path, tmp_path: Path) -> None:
    first = score(source, tmp_path / "out", log=log_of(store)).logged
    assert first is not None
    again = score(source, tmp_path / "out", log=log_of(store)).logged
    assert again == replace(first, written=0)
    other_name = tmp_path / "other.csv"
    other_name.write_bytes(source.read_bytes())
    assert score(other_name, tmp_path / "other", Terms("skip"), log=log_of(store)).logged == replace(first, written=0)
    assert len(logged(store)) == 300
    assert score(source, tmp_path / "new", scorer=make_scorer("2"), log=log_of(store)).logged.written == 300  # type: ignore[union-attr]
    other_name.write_bytes(source.read_bytes().replace(b"c-1-7", b"c-2-7", 1))
    assert score(other_name, tmp_path / "changed", log=log_of(store)).logged.written == 300  # type: ignore[union-attr]
    assert len({row.prediction_id for row in logged(store)}) == 900


def test_answers_that_are_there_already_are_logged_when_that_is_asked_for(store: Store, source: Path, tmp_path: Path) -> None:
    score(source, tmp_path / "out")
    assert logged(store) == []
    score(source, tmp_path / "out", log=log_of(store))
    assert len(logged(store)) == 300


class Failing:
    """A store that fails after some commits, as a killed process does, or a full disk."""

    def __init__(self, store: Store, commits: int) -> None:
        self._store, self._commits = store, commits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def copy_rows(self, rows: Sequence[PredictionRow]) -> None:
        if not self._commits:
            raise StoreError("the disk is full")
        self._commits -= 1
        self._store.copy_rows(rows)


@pytest.mark.parametrize("commits", [0, 1, 4, 6, 9])
@pytest.mark.parametrize("kind", ["csv", "folder"])
def test_a_run_that_was_stopped_goes_on_without_doubles(
    kind: str, commits: int, store: Store, source: Path, tmp_path: Path
) -> None:
    if kind == "folder":
        source = write_folder(tmp_path / "in", parts=3, rows=130)
    total, out = (390 if kind == "folder" else 300), tmp_path / "out"
    terms = Terms("skip")
    stopped = commits < (9 if kind == "folder" else 6)
    if stopped:
        with pytest.raises(StoreError, match="the disk is full"):
            score(source, out, terms, log=log_of(Failing(store, commits)))
        assert not (out / "_SUCCESS").exists(), "half is not said to be whole"
        assert store.find_span("1", after_seq=0, newest=1_000).rows == 0, "the monitor waits for the rest"
        assert store.scoring_runs()[0].finished_at is None
    half = logged(store)
    summary = score(source, out, terms, log=log_of(store))
    assert summary.logged is not None
    assert (summary.logged.rows, summary.logged.written) == (total, total - len(half))
    found = logged(store)
    assert found[: len(half)] == half
    assert len({row.prediction_id for row in found}) == len(found) == total
    assert len({row.customer_id for row in found}) == total
    assert len({row.requested_at for row in found}) == 1
    assert (out / "_SUCCESS").exists()
    assert store.find_span("1", after_seq=0, newest=1_000).rows == total


def test_whoever_is_refused_is_not_logged_nor_anybody_with_whom_the_run_ends(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(changed(customers(300), "total_day_minutes", {120: -1.0, 121: -1.0, 299: -1.0}), source, row_group_size=100)
    with pytest.raises(InputError, match=r"row (121|300)"):
        score(source, tmp_path / "out", log=log_of(store))
    assert logged(store) == []
    assert store.scoring_runs() == []
    with pytest.raises(StoreError):
        score(source, tmp_path / "out", Terms("skip"), log=log_of(Failing(store, 2)))
    summary = score(source, tmp_path / "out", Terms("skip"), log=log_of(store))
    assert summary.logged is not None
    assert summary.logged.rows == summary.scored == 297
    assert [row.customer_id for row in logged(store)] == [f"c-1-{n}" for n in range(300) if n not in (120, 121, 299)]


def test_a_single_file_appears_when_its_answers_are_logged(store: Store, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with pytest.raises(StoreError):
        score_file(make_scorer(), source, out, Terms(), on_threads(2), log=log_of(Failing(store, 3)))
    assert not out.exists()
    score_file(make_scorer(), source, out, Terms(), on_threads(2), log=log_of(store))
    assert out.exists()
    assert len(logged(store)) == 300


def test_a_file_may_speak_of_a_moment_before_which_is_its_own(store: Store, source: Path, tmp_path: Path) -> None:
    made = score(source, tmp_path / "out", log=log_of(store, as_of=MONTH_END)).logged
    assert made is not None
    assert made.requested_at == MONTH_END
    assert {row.requested_at for row in logged(store)} == {MONTH_END}
    assert score(source, tmp_path / "out", log=log_of(store, as_of=MONTH_END)).logged == replace(made, written=0)
    assert score(source, tmp_path / "out", log=log_of(store)).logged == replace(made, written=0)
    with pytest.raises(InputError, match=r"was logged with version 1 as of 2026-02-28 23:00:00 UTC, not 2026-03-01 23:00:00"):
        score(source, tmp_path / "out", log=log_of(store, as_of=MONTH_END + timedelta(days=1)))
    with pytest.raises(InputError, match="in the future"):
        score(source, tmp_path / "new", scorer=make_scorer("2"), log=log_of(store, as_of=now() + timedelta(hours=1)))
    assert len(logged(store)) == 300


def test_pseudonyms_and_numbers_as_ids(store: Store, tmp_path: Path) -> None:
    import pyarrow as pa

    source = tmp_path / "in.parquet"
    table = customers(3)
    pq.write_table(table.set_column(0, "customer_id", pa.array([7, None, 9])), source)
    score(source, tmp_path / "out", log=log_of(store, pseudonym=lambda name: f"p:{name}"))
    assert [row.customer_id for row in logged(store)] == ["p:7", None, "p:9"]
    pq.write_table(table.drop_columns(["customer_id"]), source)
    score(source, tmp_path / "out", overwrite=True, log=log_of(store, pseudonym=lambda name: f"p:{name}"))
    assert [row.customer_id for row in logged(store)][3:] == [None] * 3


def test_progress_is_told_commit_by_commit(store: Store, source: Path, tmp_path: Path) -> None:
    told: list[int] = []
    score(source, tmp_path / "out", log=log_of(store, on_rows=told.append))
    assert sum(told) == 300
    assert max(told) <= 50
