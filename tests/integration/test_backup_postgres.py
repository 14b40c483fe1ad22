"""What PostgreSQL's programs are told, and what is left when they fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from churn.clock import now
from churn.errors import ChurnError, InputError
from churn.store.store import Store
from pipelines.backup.archive import Database, Manifest, written_archive
from pipelines.backup.backup import Places
from pipelines.backup.restore import restore_backup
from tests.integration.postgres import postgres_server
from tests.integration.test_backup import prediction


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres_server() as server, server.database() as made:
        yield made


def test_a_dump_that_cannot_be_restored_changes_nothing(url: str, tmp_path: Path) -> None:
    store = Store.open(url)
    store.write_predictions([prediction(1, "1")])
    archive, dumped = tmp_path / "backup.tar.gz", tmp_path / "dump"
    dumped.write_bytes(b"PGDMP, but not really")
    known = {"store": Database(kind="postgresql", server="15", revision=None, rows={})}
    with written_archive(archive) as writer:
        writer.add("store.pgdump", dumped)
        manifest = Manifest(
            made_at=now(), versions={}, artifact_root="", artifacts_elsewhere="", databases=known, parts=writer.parts
        )
        writer.finish(manifest)
    home = tmp_path / "home"
    places = Places(home, url, None, str(home / "artifacts"), None)
    with pytest.raises(InputError, match=r"1 other sessions use it \(from this machine\); stop what uses it first"):
        restore_backup(places, archive, overwrite=True)
    store.close()
    with pytest.raises(ChurnError, match="pg_restore failed"):
        restore_backup(places, archive, overwrite=True)
    store = Store.open(url)
    assert store.count_predictions() == 1
    assert not home.exists()
    store.close()
