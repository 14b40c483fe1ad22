"""What docs/adr/0026 says of power cuts: commits do not wait for the disk, and the write-ahead log is synced all the time."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from churn.store.database.engine import make_engine
from churn.store.predictions import wal_checkpoints
from churn.store.predictions.wal_checkpoints import Checkpoints, connect
from churn.store.store import Store

NORMAL = 1


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "store.db"
    Store.open(f"sqlite:///{made}").close()
    return made


def test_both_connections_sync_at_checkpoints_and_not_at_commits(file: Path) -> None:
    engine = make_engine(f"sqlite:///{file}")
    with engine.connect() as connection, closing(connect(file, 1.0)) as writer:
        found = connection.exec_driver_sql("PRAGMA synchronous").scalar(), writer.execute("PRAGMA synchronous").fetchone()[0]
    engine.dispose()
    assert found == (NORMAL, NORMAL)


def test_what_was_committed_is_moved_and_so_synced_by_the_next_round(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wal_checkpoints.CHECKPOINT_SECONDS <= 5, "docs/adr/0026 says five seconds"
    with closing(connect(file, 1.0)) as writer:
        writer.execute("INSERT INTO row_counts VALUES ('a mark', 1, 1)")
        assert b"a mark" not in file.read_bytes()
        rounds = Checkpoints(file)
        asked = iter([False, True])
        monkeypatch.setattr(rounds._stopped, "wait", lambda _seconds: next(asked))
        rounds._run()
        assert b"a mark" in file.read_bytes()
