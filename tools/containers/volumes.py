"""Put files into a volume before a container uses it."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import PurePosixPath

from tools.containers.engine import Engine


def fill_volume(engine: Engine, name: str, files: dict[str, bytes], owner: int) -> None:
    """Put files into a volume that is there; it and all in it belong to one user.

    Parameters
    ----------
    engine : Engine
    name : str
    files : dict of bytes
        Content, by path in the volume.
    owner : int
        User and group.
    """
    with tempfile.TemporaryFile() as file:
        write_archive(file, files, owner)
        file.seek(0)
        engine.run("podman", "volume", "import", name, "-", stdin=file)


def write_archive(file: io.BufferedRandom | io.BytesIO, files: dict[str, bytes], owner: int) -> None:
    """Write files into a tar archive, each after the folders that it is in.

    Parameters
    ----------
    file : binary file
        What it is written to.
    files : dict of bytes
        Content, by path.
    owner : int
        User and group of all.
    """
    folders = {str(folder) for path in files for folder in PurePosixPath(path).parents} | {"."}
    with tarfile.open(fileobj=file, mode="w") as archive:
        for folder in sorted(folders):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o750
            entry.uid = entry.gid = owner
            archive.addfile(entry)
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.mode, entry.size = 0o640, len(content)
            entry.uid = entry.gid = owner
            archive.addfile(entry, io.BytesIO(content))
