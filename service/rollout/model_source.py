"""What the follower of the champion needs of the outside world: a registry's models, and a shelf with the last known good one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from service.rollout.rollback_requests import RollbackRequest
from service.scoring.served_model import ServedModel


class ModelSource(Protocol):
    """Where models come from: `service.model_loading.registry_source.RegistrySource`, or a stand-in. Its methods block, and are called in threads."""

    def aliases(self) -> Mapping[str, str]:
        """Give alias to version; RegistryError if the registry is away."""

    def load(self, version: str, /) -> ServedModel:
        """Load a version, checked and warm; ModelRefused if it is not what it claims to be."""

    def load_again(self, version: str, run_id: str, /) -> ServedModel | None:
        """Load a version that was loaded here before, without asking the registry; None if it is not there any more."""

    def roll_back(self, request: RollbackRequest, /) -> None:
        """Move the registry's aliases as an order says, with a record. RegistryError or StoreError if that cannot be done now."""

    def close(self) -> None:
        """End what is being loaded."""


@dataclass(frozen=True)
class LastKnownGood:
    """The last known good model on disk: how to put one there, and how to take it.

    Attributes
    ----------
    put : callable
        OSError if the disk does not take it.
    take : callable
        Of whether there is time to make it ready, if it is not. ModelRefused if it is not what it was.
    """

    put: Callable[[ServedModel], None]
    take: Callable[[bool], ServedModel | None]
