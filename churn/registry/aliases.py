"""Names in the registry: aliases and tags of versions, and how to ask which version has which alias."""

from __future__ import annotations

from typing import NamedTuple, Protocol

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
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


class AliasReader(Protocol):
    """Reader of a registry, used every few seconds. Every method raises RegistryError when the registry is away."""

    def aliases(self) -> dict[str, str]:
        """Return the version of each alias; empty if nothing was ever registered."""

    def registered(self, version: str, /) -> Registered:
        """Return what is registered of a version. Raise NoModel if there is none."""
