"""Names in the registry: aliases and tags of versions, and what is asked of every reader of a registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
# The version that the last change of champion left, if that was a rollback: it is served again only if a person says so.
ROLLED_BACK = "rolled-back"
NO_CHAMPION = (
    "there is no champion: train one with churn train, or promote a version that the gate refused, with churn model promote "
    "(churn model history says why it did)"
)
# Tag of a version since its registration; see `churn.registry.artifact.digest_folder`.
DIGEST_TAG = "artifact_digest"
# Tag of a run and of a version: the training that made it.
TRAINING_TAG = "training"
# How long a reader waits for the registry.
TIMEOUT_SECONDS = 5.0


class Registered(NamedTuple):
    """A version, the run it came from, and the digest of its artifact (empty if it has none)."""

    version: str
    run_id: str
    artifact_digest: str


class Version(NamedTuple):
    """A version as a list shows it: its number, its aliases in alphabetical order, and its tags."""

    version: str
    aliases: list[str]
    tags: dict[str, str]


class RegistryReader(Protocol):
    """Reader of a registry: cheap enough for every few seconds. Every method raises RegistryError when the registry is away."""

    def aliases(self) -> dict[str, str]:
        """Return the version of each alias; empty if nothing was ever registered."""

    def registered(self, version: str, /) -> Registered:
        """Return what is registered of a version. Raise NoModel if there is none."""

    def versions(self) -> list[Version]:
        """Return every version, newest first; empty if nothing was ever registered."""


def list_versions(tags: Mapping[str, Mapping[str, str]], aliases: Mapping[str, str]) -> list[Version]:
    """Put the versions of one model together, newest first.

    Parameters
    ----------
    tags : mapping
        Tags of each version, by its number.
    aliases : mapping
        Version of each alias.

    Returns
    -------
    list of Version

    Examples
    --------
    >>> list_versions({"9": {}, "10": {"trigger": "manual"}}, {"champion": "9"})
    [Version(version='10', aliases=[], tags={'trigger': 'manual'}), Version(version='9', aliases=['champion'], tags={})]
    """
    named: dict[str, list[str]] = {}
    for alias, number in sorted(aliases.items()):
        named.setdefault(number, []).append(alias)
    return [Version(number, named.get(number, []), dict(tags[number])) for number in sorted(tags, key=int, reverse=True)]
