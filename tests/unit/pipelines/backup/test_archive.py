"""Archives that are damaged, or made to harm: nothing of them gets to its place."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from churn.clock import now
from churn.errors import ChurnError, InputError
from pipelines.backup.archive import MANIFEST, Manifest, Part, unpack, written_archive
from pipelines.backup.restore import restore_backup
from tests.integration.test_backup import content, small

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    made, source = tmp_path / "backup.tar.gz", tmp_path / "source"
    (source / "churn").mkdir(parents=True)
    for name in ("a", "b"):
        (source / "churn" / name).write_text(name * 1000)
    with written_archive(made) as writer:
        writer.add_tree("models", source)
        writer.finish(
            Manifest(made_at=now(), versions={}, artifact_root="", artifacts_elsewhere="", databases={}, parts=writer.parts)
        )
    return made


def change(archive: Path, how: Callable[[Members], Members]) -> None:
    with tarfile.open(archive) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    with tarfile.open(archive, "w:gz") as tar:
        for member, data in how(members):
            member.size = len(data) if member.isfile() else 0
            tar.addfile(member, io.BytesIO(data))


def named(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member, b"x"


def other_bytes(members: Members) -> Members:
    return [(member, data.replace(b"a", b"b") if member.name == "models/churn/a" else data) for member, data in members]


def forged(members: Members) -> Members:
    """A manifest that knows of what was put in."""
    member, data = members[-1]
    manifest = Manifest.model_validate_json(data)
    manifest.parts["../../outside"] = Part(sha256="0" * 64, bytes=1)
    return [named("../../outside"), *members[:-1], (member, manifest.model_dump_json().encode())]


CHANGES: dict[str, Callable[[Members], Members]] = {
    "other bytes": other_bytes,
    "a part is missing": lambda members: members[1:],
    "a part more": lambda members: [named("models/more"), *members],
    "a part twice": lambda members: [members[0], *members],
    "no manifest": lambda members: members[:-1],
    "a manifest that is none": lambda members: [*members[:-1], (members[-1][0], b"{}")],
    "another format": lambda members: [*members[:-1], (members[-1][0], members[-1][1].replace(b'"format": 1', b'"format": 2'))],
    "above its place": lambda members: [named("models/../../../outside"), *members],
    "above its place, and in the manifest": forged,
    "an absolute name": lambda members: [named("/outside"), *members],
    "a link": lambda members: [named("models/churn/link", tarfile.SYMTYPE, "/etc/passwd"), *members],
    "a hard link": lambda members: [named("models/churn/link", tarfile.LNKTYPE, "/etc/passwd"), *members],
    "a device": lambda members: [named("models/churn/zero", tarfile.CHRTYPE), *members],
    "a file of no system": lambda members: [named("settings.py"), *members],
    "a name beside a database": lambda members: [named("store.sqlite-wal"), *members],
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_changed_archive_is_refused_and_nothing_is_touched(archive: Path, tmp_path: Path, how: str) -> None:
    change(archive, CHANGES[how])
    target = small(tmp_path / "deep" / "home")
    with pytest.raises(InputError):
        restore_backup(target, archive)
    assert not (tmp_path / "deep").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar.gz", "source"]

    target.home.mkdir(parents=True)
    (target.home / "store.db").write_bytes(b"")
    (target.home / "models").mkdir()
    (target.home / "models" / "kept").write_text("kept")
    with pytest.raises(InputError):
        restore_backup(target, archive, overwrite=True)
    assert content(target.home) == {"store.db": b"", "models/kept": b"kept"}


def test_another_format_is_named_whatever_else_its_manifest_holds(archive: Path, tmp_path: Path) -> None:
    newer = b'{"format": 2, "moment": "2026-11-29T10:00:00Z", "chunks": []}'
    change(archive, lambda members: [*members[:-1], (members[-1][0], newer)])
    with pytest.raises(InputError, match="has format 2, this churn reads 1"):
        restore_backup(small(tmp_path / "home"), archive)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_an_archive_that_is_cut_short_is_refused(archive: Path, tmp_path: Path, share: float) -> None:
    data = archive.read_bytes()
    archive.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError):
        restore_backup(small(tmp_path / "home"), archive)
    assert not (tmp_path / "home").exists()


def test_what_is_no_archive_is_refused_in_one_line(tmp_path: Path) -> None:
    for data in (b"hello", gzip.compress(b"hello" * 1000)):
        (tmp_path / "x.tar.gz").write_bytes(data)
        with pytest.raises(InputError, match="no backup") as caught:
            restore_backup(small(tmp_path / "home"), tmp_path / "x.tar.gz")
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        restore_backup(small(tmp_path / "home"), tmp_path / "none")


def test_an_unchanged_archive_is_unpacked(archive: Path, tmp_path: Path) -> None:
    target = small(tmp_path / "home")
    manifest = restore_backup(target, archive)
    assert content(target.home) == {"models/churn/a": b"a" * 1000, "models/churn/b": b"b" * 1000}
    assert [part.bytes for part in manifest.parts.values()] == [1000, 1000]


def test_a_full_disk_is_not_called_damage(archive: Path, tmp_path: Path) -> None:
    def full(_name: str) -> Path:
        raise OSError(28, "No space left on device")

    with pytest.raises(ChurnError, match="No space left") as caught:
        unpack(archive, full)
    assert caught.value.exit_code == 1


def test_a_block_that_fails_leaves_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), written_archive(tmp_path / "x.tar.gz"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    assert MANIFEST == "manifest.json"


def test_a_part_is_whole_when_it_is_sent_to_the_disk(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    manifest = unpack(archive, lambda name: tmp_path / "out" / name)
    assert synced == [part.bytes for part in manifest.parts.values()] == [1000, 1000]
