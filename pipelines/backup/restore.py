"""Putting a backup back: unpacked beside its place and checked, and only then moved there; or nothing is changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from churn.errors import ChurnError, InputError, StoreError
from churn.ids import new_id
from churn.store.migrate import check_revision
from pipelines.backup.archive import Manifest, unpack
from pipelines.backup.backup import Places, suffix
from pipelines.backup.databases import (
    SQLITE,
    check_left_alone,
    check_rows,
    is_in_use,
    kind_of,
    move_artifacts,
    restore_postgres,
    sqlite_file,
)
from pipelines.backup.running import stopped
from pipelines.backup.unstoppable import unstoppable
from pipelines.backup.work_folder import remove_abandoned_folders, work_folder

# What SQLite keeps beside a database. Left there, it would be taken for a part of the new one.
BESIDE = ("", "-wal", "-shm", "-journal")
WORK = ".restore-"


class _Staging:
    """Where the parts of one restore wait, each beside its place: on the same disk, so that moving is renaming."""

    def __init__(self, places: Places, work: Path) -> None:
        self._token = new_id()
        self._work = work
        self.files: dict[str, Path] = {}
        self.folders = {"spool": places.home / "spool", "models": places.home / "models"}
        if places.artifact_folder is not None and places.registry is not None:
            self.folders["artifacts"] = places.artifact_folder
        self.databases = {
            name: url
            for name, url in (("store", places.store), ("registry", places.registry), ("prefect", places.prefect))
            if url
        }

    def waiting(self, place: Path) -> Path:
        return place.with_name(f".{place.name}.restore-{self._token}")

    def old(self, place: Path) -> Path:
        return place.with_name(f".{place.name}.before-{self._token}")

    def place(self, name: str) -> Path:
        """Return where a part of the archive is put first; InputError if it has no place in this system."""
        top, _, rest = name.partition("/")
        if self._is_left_out(top if rest else name.partition(".")[0]):
            return self._work / "left-out" / name
        if rest and top in self.folders:
            return self.waiting(self.folders[top]) / rest
        database, _, kind = name.partition(".")
        if rest or database not in ("store", "registry", "prefect") or kind not in ("sqlite", "pgdump"):
            raise InputError(f"the archive holds {name!r}, which has no place here")
        url = self.databases[database]
        if suffix(kind_of(url)) != kind:
            raise InputError(f"the backup's {database} is {kind}, and {kind_of(url)} is set up here: both must be of a kind")
        self.files[database] = self.waiting(sqlite_file(url)) if kind == "sqlite" else self._work / database
        return self.files[database]

    def _is_left_out(self, kind: str) -> bool:
        """Return whether a part is none of this system's: the registry was left out, or Prefect's database is a server's."""
        if kind == "artifacts":
            return "artifacts" not in self.folders
        return kind in ("registry", "prefect") and kind not in self.databases

    def moves(self) -> Iterator[tuple[Path, Path]]:
        """Return what is moved, and where to."""
        for name, path in self.files.items():
            if kind_of(self.databases[name]) == SQLITE:
                yield path, sqlite_file(self.databases[name])
        for folder in self.folders.values():
            yield self.waiting(folder), folder

    def clear(self) -> None:
        for folder in self.folders.values():
            shutil.rmtree(self.waiting(folder), ignore_errors=True)
        for path in self.files.values():
            for name in BESIDE:
                path.with_name(path.name + name).unlink(missing_ok=True)


def restore_backup(places: Places, source: Path, *, overwrite: bool = False) -> Manifest:
    """Restore a backup into a system that is not running.

    Everything is unpacked and checked against the manifest first. Then databases in PostgreSQL are replaced, each in one
    transaction, and then files are moved into place; if a move fails, the others are moved back. Ctrl-C stops it
    before the moves, and not among them.

    Parameters
    ----------
    places : Places
        Where the parts go; not necessarily where they came from.
    source : Path
        The backup.
    overwrite : bool
        Replace what is there.

    Returns
    -------
    Manifest

    Raises
    ------
    InputError
        If the file is no sound backup, does not fit this system, or something is there already or runs there; nothing is
        changed then.
    ChurnError
        If a part could not be put in its place.
    """
    if not source.is_file():
        raise InputError(f"{source}: {'is no file; name the backup itself' if source.exists() else 'no such file'}")
    made = _missing_folders(places)
    places.home.mkdir(parents=True, exist_ok=True)
    try:
        # Not in the system's temporary folder, which may be small or in memory.
        with (
            stopped(places.home, sqlite_files(places)),
            work_folder(places.home, WORK) as work,
        ):
            manifest = _restore(_Staging(places, work), places, source, overwrite)
            # Not before: in one that was killed may be what was here before it.
            remove_abandoned_folders(places.home, WORK)
            return manifest
    except BaseException:
        for folder in made:
            with suppress(OSError):  # it was not made, or is not empty: somebody else uses it
                folder.rmdir()
        raise


def _restore(staging: _Staging, places: Places, source: Path, overwrite: bool) -> Manifest:
    try:
        check_left_alone(places.store)
        if not overwrite:
            _refuse_in_use(staging)
        manifest = unpack(source, staging.place)
        _refuse_other_versions(source, manifest)
        _prepare(staging, places, manifest)
        check_left_alone(places.store)  # again: unpacking may have taken an hour
        _put(staging, places, manifest)
    finally:
        staging.clear()
    return manifest


def sqlite_files(places: Places) -> list[Path]:
    """List the databases that are files."""
    urls = [url for url in (places.store, places.registry, places.prefect) if url and kind_of(url) == SQLITE]
    return [sqlite_file(url) for url in urls]


def _missing_folders(places: Places) -> list[Path]:
    """List the folders that a restore may make to put something in, and would leave empty if it failed; the inner ones first."""
    folders = {places.home, *(path.parent for path in sqlite_files(places))}
    missing = {above for folder in folders for above in (folder, *folder.parents) if not above.exists()}
    return sorted(missing, key=lambda folder: len(folder.parts), reverse=True)


def _refuse_in_use(staging: _Staging) -> None:
    used = [name for name, url in staging.databases.items() if is_in_use(url, name)]
    used += [str(folder) for folder in staging.folders.values() if folder.is_dir() and any(folder.iterdir())]
    if used:
        raise InputError(f"not empty: {', '.join(used)}; replace what is there with --overwrite")


def _refuse_other_versions(source: Path, manifest: Manifest) -> None:
    """Refuse a store that could not be opened once it is there, and what it took the place of gone."""
    store = manifest.databases.get("store")
    try:
        check_revision(None if store is None else store.revision, f"in {source}")
    except StoreError as error:
        raise InputError(str(error)) from None


def _prepare(staging: _Staging, places: Places, manifest: Manifest) -> None:
    """Make the files ready where they wait: sound, and with the new addresses in them."""
    for name, path in staging.files.items():
        if kind_of(staging.databases[name]) == SQLITE:
            check_rows(f"sqlite:///{path}", manifest.databases[name])
    spool = staging.waiting(staging.folders["spool"])
    if spool.exists():  # customers are in it, as in the service's own
        spool.chmod(0o700)
    registry = staging.files.get("registry")
    if registry is not None and places.registry is not None and kind_of(places.registry) == SQLITE:
        move_artifacts(f"sqlite:///{registry}", manifest.artifact_root, places.artifact_root)


def _put(staging: _Staging, places: Places, manifest: Manifest) -> None:
    for name, path in staging.files.items():
        url = staging.databases[name]
        if kind_of(url) != SQLITE:
            restore_postgres(url, path)
            check_rows(url, manifest.databases[name])
            if name == "registry":
                move_artifacts(url, manifest.artifact_root, places.artifact_root)
    # The databases on a server are those of the backup by now, and it takes no more than a moment: whoever stops it then is late.
    with unstoppable():
        _move(staging)


def _move(staging: _Staging) -> None:
    with _undone_on_error() as renamed:
        moves = list(staging.moves())
        for waiting, place in moves:
            for beside in BESIDE:
                there = place.with_name(place.name + beside)
                if there.exists():
                    renamed(there, staging.old(there))
            # What the backup has none of is not there afterwards: another system's spool must not be fed to this store.
            if waiting.exists():
                renamed(waiting, place)
    for _, place in moves:
        for beside in BESIDE:
            old = staging.old(place.with_name(place.name + beside))
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink(missing_ok=True)


@contextmanager
def _undone_on_error() -> Iterator[_Renames]:
    renames = _Renames()
    try:
        yield renames
    except BaseException as error:
        for old, new in reversed(renames.done):
            new.rename(old)
        if isinstance(error, OSError):
            raise ChurnError(f"the files could not be moved into place, and are as they were: {error}") from error
        raise


class _Renames:
    def __init__(self) -> None:
        self.done: list[tuple[Path, Path]] = []

    def __call__(self, old: Path, new: Path) -> None:
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        self.done.append((old, new))
