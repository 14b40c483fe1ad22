"""The file of a backup: a compressed tar of parts, with a manifest at its end that says what each part must be.

Reading checks everything before anything is put in place: only plain files under names that a backup of ours has, each with the
bytes of the manifest.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from churn.atomic_write import PRIVATE, atomic_write
from churn.errors import ChurnError, InputError

FORMAT = 1
MANIFEST = "manifest.json"
# More is not read into memory of what calls itself a manifest; 100,000 artifacts have one of 15 MB.
MAX_MANIFEST_BYTES = 64 * 2**20
PIECE = 2**20


class Part(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(extra="forbid")
    sha256: str
    bytes: int


class Database(BaseModel):
    """One database of a backup: its rows by table when it was taken, and the revision of its schema."""

    model_config = ConfigDict(extra="forbid")
    kind: str
    server: str
    revision: str | None
    rows: dict[str, int]


class Manifest(BaseModel):
    """What a backup holds.

    Attributes
    ----------
    artifact_root : str
        Where the registry's database says that artifacts lie; a restore elsewhere says so anew.
    artifacts_elsewhere : str
        Where artifacts are that the backup does not hold; empty if it does.
    versions : dict
        Of the programs that made it.
    """

    model_config = ConfigDict(extra="forbid")
    format: int = FORMAT
    made_at: datetime
    versions: dict[str, str]
    artifact_root: str
    artifacts_elsewhere: str
    databases: dict[str, Database]
    parts: dict[str, Part]


class _AnyFormat(BaseModel):
    """Of a manifest of whatever version: what it says to be."""

    format: int = FORMAT


class _Hashed:
    """A file that notes what was read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


class ArchiveWriter:
    """Adds files to an archive that is being written."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.parts: dict[str, Part] = {}

    def add(self, name: str, path: Path) -> None:
        """Add a file as it is now; what is appended to it meanwhile is left out.

        Parameters
        ----------
        name : str
            Name of the part.
        path : Path
        """
        with path.open("rb") as file:
            hashed = _Hashed(file)
            info = tarfile.TarInfo(name)
            info.size, info.mode = os.fstat(file.fileno()).st_size, 0o600
            self._tar.addfile(info, hashed)
        self.parts[name] = Part(sha256=hashed.digest.hexdigest(), bytes=info.size)

    def add_tree(self, name: str, folder: Path, wanted: Callable[[Path], bool] = lambda _: True) -> None:
        """Add the plain files under a folder; one that disappears meanwhile is left out.

        Parameters
        ----------
        name : str
            What the names of the parts begin with.
        folder : Path
        wanted : callable
            Of a path inside the folder: whether to add it.
        """
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_symlink() or not path.is_file() or not wanted(inside):
                continue
            try:
                self.add(f"{name}/{inside.as_posix()}", path)
            except FileNotFoundError:
                continue

    def finish(self, manifest: Manifest) -> None:
        """Append the manifest."""
        text = manifest.model_dump_json(indent=2).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode = len(text), 0o600
        self._tar.addfile(info, io.BytesIO(text))


@contextmanager
def written_archive(target: Path, staging_folder: Path | None = None) -> Iterator[ArchiveWriter]:
    """Write an archive that appears at `target` whole, when the block has ended well, or else not at all.

    Parameters
    ----------
    target, staging_folder : Path
        See `churn.atomic_write.atomic_write`.

    Yields
    ------
    ArchiveWriter
    """
    # It holds customers: for nobody else to read.
    with (
        atomic_write(target, mode=PRIVATE, staging_folder=staging_folder) as staging,
        tarfile.open(staging, mode="w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as tar,
    ):
        yield ArchiveWriter(tar)


def unpack(source: Path, place: Callable[[str], Path]) -> Manifest:
    """Read an archive, put each part where `place` says, and check all of it against the manifest.

    Parameters
    ----------
    source : Path
    place : callable
        Gives a path for the name of a part, or raises InputError if a backup has no such part.

    Returns
    -------
    Manifest

    Raises
    ------
    InputError
        If it is no backup, is damaged, or holds anything but plain files under names of a backup.
    """
    found: dict[str, Part] = {}
    manifest: Manifest | None = None
    try:
        with gzip.open(source) as file, tarfile.open(fileobj=file, mode="r|") as tar:
            for member in tar:
                _check_name(member, found)
                content = tar.extractfile(member)
                assert content is not None  # noqa: S101 -- a plain file has some
                if member.name == MANIFEST:
                    manifest = _manifest(content, member.size)
                else:
                    found[member.name] = _write(content, place(member.name))
            while file.read(PIECE):  # to its end, where its checksum is
                pass
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise ChurnError(f"{source} cannot be unpacked: {error}") from error
        raise InputError(f"{source} is no backup, or is damaged: {error}") from error
    if manifest is None:
        raise InputError(f"{source} is no backup, or is cut short: it has no {MANIFEST}")
    wrong = sorted(name for name in found.keys() | manifest.parts.keys() if found.get(name) != manifest.parts.get(name))
    if wrong:
        raise InputError(f"{source} is damaged: {wrong[0]} is not what its manifest says ({len(wrong)} parts in all)")
    return manifest


def _check_name(member: tarfile.TarInfo, found: dict[str, Part]) -> None:
    path = PurePosixPath(member.name)
    if not member.isfile() or path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        raise InputError(f"the archive is not to be trusted: {member.name!r} is no plain file in its own place")
    if member.name in found:
        raise InputError(f"the archive is not to be trusted: it holds {member.name!r} twice")


def _manifest(content: IO[bytes], size: int) -> Manifest:
    if size > MAX_MANIFEST_BYTES:
        raise InputError("the archive is not to be trusted: its manifest is too large")
    text = content.read()
    try:
        # First, as another format has other fields.
        if (known := _AnyFormat.model_validate_json(text).format) != FORMAT:
            raise InputError(
                f"the backup has format {known}, this churn reads {FORMAT}: restore it with the version that made it"
            )
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"the backup's manifest cannot be read: {error.errors()[0]['msg']}") from error


def _write(content: IO[bytes], path: Path) -> Part:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        while piece := content.read(PIECE):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return Part(sha256=digest.hexdigest(), bytes=size)


def describe(manifest: Manifest) -> dict[str, Any]:
    """Sum a manifest up: rows by database and table, files and bytes by kind."""
    kinds: dict[str, dict[str, int]] = {}
    for name, part in manifest.parts.items():
        kind = kinds.setdefault(name.split("/")[0], {"files": 0, "bytes": 0})
        kind["files"] += 1
        kind["bytes"] += part.bytes
    rows = {name: {table: n for table, n in database.rows.items() if n} for name, database in manifest.databases.items()}
    return {"made_at": manifest.made_at.isoformat(), "versions": manifest.versions, "rows": rows, "parts": kinds}
