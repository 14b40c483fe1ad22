"""What following the champion needs from outside: the registry's models, and the last known good one on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from churn.lifecycle.rollback_request import RollbackRequest
from service.scoring.served_model import ServedModel


class ModelSource(Protocol):
    """Where models come from: `service.model_loading.registry_source.RegistrySource`, or a fake.

    Its methods block and are called in threads.
    """

    def aliases(self) -> Mapping[str, str]:
        """Return alias to version. RegistryError if the registry is away."""

    def run_id(self, version: str, /) -> str:
        """Return the run of a version: with its number, it says which model it is. RegistryError if the registry is away."""

    def load(self, version: str, /) -> ServedModel:
        """Load a version, checked and warm. ModelRefused if it fails its checks."""

    def load_again(self, version: str, run_id: str, /) -> ServedModel | None:
        """Load a version that was loaded here before, without the registry; None if it is not on disk any more.

        Parameters
        ----------
        version, run_id : str

        Returns
        -------
        ServedModel or None
        """

    def roll_back(self, request: RollbackRequest, /) -> None:
        """Do what a request asks for in the registry, with a record; nothing if another version is champion by now.

        Raises
        ------
        RegistryError, StoreError
            If that cannot be done now.
        """

    def close(self) -> None:
        """Stop loading."""


@dataclass(frozen=True)
class LastKnownGood:
    """The last known good model on disk.

    Attributes
    ----------
    save : callable
        Saves a model. OSError if the disk does not take it.
    load : callable
        Loads it; the argument says whether to wait until its bundle is made. None if there is none, or none that is ready;
        ModelRefused if it is damaged.
    """

    save: Callable[[ServedModel], None]
    load: Callable[[bool], ServedModel | None]
