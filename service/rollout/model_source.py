"""What following the champion needs from outside: the registry's models, and the last known good one on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from service.scoring.served_model import ServedModel


class ModelSource(Protocol):
    """Where models come from: `service.model_loading.registry_source.RegistrySource`, or a fake.

    Its methods block and are called in threads.
    """

    def aliases(self) -> Mapping[str, str]:
        """Return alias to version. RegistryError if the registry is away."""

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

    def roll_back(self, leaving: str, version: str, /, *, actor: str, reason: str) -> None:
        """Make `version` the champion in place of `leaving`, with a record.

        Parameters
        ----------
        leaving, version : str
        actor, reason : str
            For the record.

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
