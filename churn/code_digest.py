"""What decides that a cache is stale: the code of whole packages, so that no list of files has to be kept by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import resources
from importlib.abc import Traversable


def package_digest(*packages: str) -> str:
    """Return a digest of every Python file in some packages.

    Parameters
    ----------
    *packages : str
        Dotted names, such as "churn.inference". Packages below them count too.

    Returns
    -------
    str
        64 hexadecimal digits. They change with any file's name or content, and with nothing else.

    Raises
    ------
    ModuleNotFoundError
        If there is no such package.
    """
    digest = hashlib.sha256()
    for package in sorted(packages):
        for path, file in _sources(package.replace(".", "/"), resources.files(package)):
            content = file.read_bytes()
            digest.update(f"{path} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def _sources(path: str, folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(f"{path}/{entry.name}", entry)
        elif entry.name.endswith(".py"):
            yield f"{path}/{entry.name}", entry
