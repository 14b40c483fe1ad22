"""What was brought: a file of labelled customers, how it came there, and whether they are real."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from churn.atomic_write import atomic_write
from churn.config.settings import Settings
from churn.errors import InputError

# Of the file, as data/'s DVC folder object lists it. dvc.lock and data.dvc pin the same bytes.
TELECOM_MD5 = "7fe5c864ba1d3ab59b4d8810ad813798"


@dataclass(frozen=True)
class Source:
    """Where the labelled customers are and how they got there.

    Attributes
    ----------
    path : Path
    simulated : bool
        Whether they are invented.
    how : str
        One sentence for people.
    """

    path: Path
    simulated: bool
    how: str


class SourceUnavailable(Exception):
    """A source does not have the data, or does not answer; the message says why. The next one is asked."""


def find_data(settings: Settings) -> Source:
    """Find what `pull_data` brought, without bringing anything."""
    # Invented customers stand in for the pinned data alone, never for a file that somebody named.
    invented = [settings.home / "data" / "simulated.csv"] if is_pinned(settings.data) else []
    for path in (settings.data, *invented):
        if path.exists():
            simulated = note_of(path).exists()
            return Source(path, simulated, f"{path} is {'invented' if simulated else 'there'}")
    raise InputError(f"{settings.data}: no such file; bring it with: churn data pull")


def is_pinned(path: Path) -> bool:
    """Return whether a path is that of the pinned customers, and not one that somebody named."""
    return bool(path == Settings.model_fields["data"].default)


def check_telecom(name: object, content: bytes, remedy: str = "delete it and run: churn data pull") -> None:
    """Hold bytes against the pinned hash.

    Parameters
    ----------
    name : object
        What they are called in the error.
    content : bytes
    remedy : str, optional
        What to do if they are others.

    Raises
    ------
    InputError
        If they are others.
    """
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != TELECOM_MD5:
        raise InputError(f"{name}: its md5 is {found}, not the pinned {TELECOM_MD5}; {remedy}")


def write_pinned(path: Path, content: bytes) -> None:
    """Write checked bytes to `settings.data`, whole or not at all.

    Parameters
    ----------
    path : Path
    content : bytes

    Raises
    ------
    InputError
        If it cannot be written.
    """
    with write_errors_named(path):
        path.parent.mkdir(exist_ok=True)
        # Staged beside data/, not in it: DVC pins everything that lies there.
        with atomic_write(path, staging_folder=path.parent.parent) as staging:
            staging.write_bytes(content)


@contextmanager
def write_errors_named(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into an InputError that names the file."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


def note_of(path: Path) -> Path:
    """Return the path of the note that marks a file of invented customers."""
    return path.with_name(f"{path.name}.simulated")
