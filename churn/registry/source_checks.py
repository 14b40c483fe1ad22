"""Check where a registry says that an artifact lies, and what it holds, before it is downloaded.

Whoever may write into a registry may give a version any address: of a file of this machine, or of a server that only this machine
reaches (server-side request forgery, https://owasp.org/Top10/A10_2021-Server-Side_Request_Forgery_%28SSRF%29/).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from churn.errors import ModelRefused
from churn.registry.artifact import FETCHED_FILES, MLMODEL_FILE

# An address names only a bucket: endpoint and credentials are those of this process.
OBJECT_STORES = frozenset({"s3", "gs", "wasb", "wasbs", "abfss", "r2"})
LOCAL = frozenset({"", "file"})
# Of what is listed: a dozen files of ours, and the source of the package in a folder that is not entered.
MAX_FILES, MAX_BYTES = 2_000, 2**30
CODE_FOLDER = "code"
Entry = tuple[str, bool, int]


def check_address(address: str, tracking_uri: str, version: str) -> None:
    """Refuse an address from which models are not downloaded.

    Parameters
    ----------
    address : str
        Where the artifact lies, as MLflow resolved it (`mlflow-artifacts:` has become an address of the server).
    tracking_uri : str
        Of the settings: the only server that is used over HTTP.
    version : str
        For the message.

    Raises
    ------
    ModelRefused

    Examples
    --------
    >>> check_address("s3://models/7", "http://mlflow:5000", "7")
    >>> check_address("http://169.254.169.254/latest", "http://mlflow:5000", "7")
    Traceback (most recent call last):
    churn.errors.ModelRefused: version 7 is said to lie at 'http://169.254.169.254', where no model is fetched from
    """
    parts = urlsplit(address)
    if parts.scheme in LOCAL:
        if parts.netloc not in ("", "localhost"):
            raise _elsewhere(version, parts.scheme, parts.netloc)
        if any(link.is_symlink() for link in _everything(Path(unquote(parts.path)))):
            # MLflow copies what a link leads to.
            raise ModelRefused(f"version {version} has links in its artifact, which may lead anywhere")
    elif parts.scheme not in OBJECT_STORES:
        server = urlsplit(tracking_uri)
        if parts.scheme not in ("http", "https") or (parts.scheme, _host(parts.netloc)) != (server.scheme, _host(server.netloc)):
            raise _elsewhere(version, parts.scheme, _host(parts.netloc))


def find_files(listed: Callable[[str | None], Iterable[Entry]], version: str) -> list[str]:
    """Find the files of an artifact that are read; refuse a folder that is not that of a model.

    The source of the package, for whoever loads the model without it, is some hundred files more, and none of them is read here.

    Parameters
    ----------
    listed : callable
        Returns (path, is a folder, bytes) of what is in a folder of the artifact; None is the artifact itself.
    version : str
        For the message.

    Returns
    -------
    list of str
        Their paths in the artifact, sorted. None at all is a store that is not mounted.

    Raises
    ------
    ModelRefused
    """
    found = list(listed(None))
    if found and MLMODEL_FILE not in {path for path, _, _ in found}:
        raise ModelRefused(f"version {version} is no model: there is no {MLMODEL_FILE} where the registry says it lies")
    files, size = 0, 0
    wanted: list[str] = []
    while found:
        path, is_folder, length = found.pop()
        files, size = files + 1, size + length
        if files > MAX_FILES or size > MAX_BYTES:
            raise ModelRefused(f"version {version} has more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB in its artifact")
        if is_folder:
            found += listed(path) if path != CODE_FOLDER else ()
        elif PurePosixPath(path).name in FETCHED_FILES:
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise ModelRefused(f"version {version} has a file outside its artifact: {path!r}")
            wanted.append(path)
    return sorted(wanted)


def _everything(folder: Path) -> Iterable[Path]:
    yield folder
    for count, (here, folders, files) in enumerate(os.walk(folder)):
        yield from (Path(here, name) for name in (*folders, *files))
        if count > MAX_FILES:  # refused for its size in a moment
            return


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2].lower()


def _elsewhere(version: str, scheme: str, host: str) -> ModelRefused:
    return ModelRefused(f"version {version} is said to lie at {f'{scheme}://{host}'!r}, where no model is fetched from")
