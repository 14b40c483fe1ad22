"""Say what became true of a training that broke off after its model was made: is there a version, and is it champion?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from churn.errors import ChurnError, NoModel, RegistryError
from churn.lifecycle.aliases import Aliases
from churn.registry.aliases import TRAINING_TAG

ASK = "ask again with: churn model list"


class RegisteredVersions(Aliases, Protocol):
    """What is asked of `churn.registry.registry.Registry`."""

    def versions(self) -> Sequence[tuple[str, Sequence[str], Mapping[str, str]]]:
        """Return (version, aliases, tags) of each version, newest first."""


class TrainingBrokenOff(ChurnError):
    """A training could not be concluded; the message says why, and what became true all the same."""


@contextmanager
def telling_what_became_true(registry: RegisteredVersions, training: str) -> Iterator[None]:
    """Add to the error of a registration or promotion what it left behind.

    Parameters
    ----------
    registry : RegisteredVersions
    training : str
        Its id.

    Yields
    ------
    None

    Raises
    ------
    TrainingBrokenOff
        Instead of any ChurnError.
    """
    try:
        yield
    except ChurnError as error:
        raise TrainingBrokenOff(f"{error}; {describe_result(registry, training)}") from error


def describe_result(registry: RegisteredVersions, training: str) -> str:
    """Say whether a training registered a version, and whether that is champion.

    Parameters
    ----------
    registry : RegisteredVersions
    training : str
        Its id.

    Returns
    -------
    str
        Part of a sentence. A registry that is away is said to be asked later.
    """
    try:
        found = next((version for version, _, tags in registry.versions() if tags.get(TRAINING_TAG) == training), None)
        if found is None:
            return "no version was registered, and the champion is the one before"
        try:
            champion = registry.champion_version()
        except NoModel:
            champion = None
    except RegistryError:
        return f"whether a version was registered, and is champion, is not known while the registry is away: {ASK}"
    if champion == found:
        return f"version {found} was registered, and is champion"
    return f"version {found} was registered, and is not champion; the next training makes another"
