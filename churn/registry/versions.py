"""Registered versions of one model, and their aliases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from churn.errors import NoModel, NoVersion
from churn.registry.aliases import (
    CHALLENGER,
    CHAMPION,
    DIGEST_TAG,
    NO_CHAMPION,
    PREVIOUS,
    ROLLED_BACK,
    TRAINING_TAG,
    Registered,
    Version,
    list_versions,
)
from churn.registry.client import Client

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

# MLflow's own limit, in characters.
MAX_TAG_LENGTH = 5_000


# As MLflow gives them: 01 is no other name of version 1, and no database takes a number of thirty digits.
_NUMBER = re.compile("[1-9][0-9]{0,8}")


class Versions:
    """The versions of one model. Every method raises RegistryError when the registry is away."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._name = client.name

    def find(self, version_or_alias: str) -> ModelVersion:
        """Return MLflow's record of a version. Raise NoModel if there is none."""
        mlflow = self._client.mlflow
        missing = f"there is no version {version_or_alias!r} of model {self._name!r}; train one with: churn train"
        try:
            with self._client.translated(missing):
                if _NUMBER.fullmatch(version_or_alias):
                    return mlflow.get_model_version(self._name, version_or_alias)
                return mlflow.get_model_version_by_alias(self._name, version_or_alias)
        except NoModel as error:
            raise (NoModel(NO_CHAMPION) if version_or_alias == CHAMPION else NoVersion(missing)) from error

    def version(self, version_or_alias: str) -> str:
        """Return the number of a version or of what has an alias. Raise NoModel if there is none."""
        return str(self.find(version_or_alias).version)

    def champion_version(self) -> str:
        """Return the version that has the alias `champion`. Raise NoModel if none has."""
        return self.version(CHAMPION)

    def previous_version(self) -> str:
        """Return the version that was champion before. Raise NoModel if none was."""
        try:
            return self.version(PREVIOUS)
        except NoModel as error:
            raise NoModel(f"there is no previous champion of model {self._name!r} to go back to") from error

    def versions(self) -> list[Version]:
        """See `churn.registry.aliases.RegistryReader`."""
        mlflow = self._client.mlflow
        with self._client.translated():
            found = mlflow.search_model_versions(f"name='{self._name}'")
        return list_versions({str(one.version): one.tags for one in found}, self.aliases() if found else {})

    def of_training(self, training: str) -> str | None:
        """Return the version that a training registered; None if it registered none."""
        return next((version for version, _, tags in self.versions() if tags.get(TRAINING_TAG) == training), None)

    def aliases(self) -> dict[str, str]:
        """Return the version of each alias; empty if nothing was ever registered."""
        mlflow = self._client.mlflow
        try:
            with self._client.translated(f"there is no model {self._name!r}"):
                return {str(alias): str(number) for alias, number in mlflow.get_registered_model(self._name).aliases.items()}
        except NoModel:
            return {}

    def registered(self, version: str, /) -> Registered:
        """Return what is registered of a version. Raise NoModel if there is none."""
        found = self.find(version)
        return Registered(str(found.version), str(found.run_id or ""), str(found.tags.get(DIGEST_TAG, "")))

    def identity(self, version: str) -> str:
        """Return what no other version has, in any registry: numbers begin anew in each. Raise NoModel if there is none."""
        return str(self.find(version).run_id)

    def tags_of(self, version: str, /) -> dict[str, str]:
        """Return the tags of a version. Raise NoModel if there is none."""
        return dict(self.find(version).tags)

    def challenge(self, version: str, /) -> str:
        """Set the alias `challenger`, so that services score it in the shadow; return its number."""
        mlflow = self._client.mlflow
        number = self.version(version)
        with self._client.translated():
            mlflow.set_registered_model_alias(self._name, CHALLENGER, number)
        return number

    def end_challenge(self) -> str | None:
        """Remove the alias `challenger`; return the version that had it."""
        number = self.aliases().get(CHALLENGER)
        if number is not None:
            mlflow = self._client.mlflow
            with self._client.translated():
                mlflow.delete_registered_model_alias(self._name, CHALLENGER)
        return number

    def promote(self, version: str, /, *, tags: Mapping[str, str] | None = None, rolling_back: bool = False) -> str | None:
        """Move the aliases. Only `churn.lifecycle.promotion` calls this: it keeps the record.

        Parameters
        ----------
        version : str
            Becomes the champion; the old champion becomes `previous`.
        tags : mapping, optional
            Tags that the version gets before it becomes champion.
        rolling_back : bool
            Whether the old champion is left for good, and gets the alias `rolled-back`.

        Returns
        -------
        str or None
            The old champion; None if there was none.
        """
        mlflow = self._client.mlflow
        number = self.version(version)
        try:
            old: str | None = self.champion_version()
        except NoModel:
            old = None
        if old == number:
            return old
        with self._client.translated():
            for name, value in (tags or {}).items():
                mlflow.set_model_version_tag(self._name, number, name, value[:MAX_TAG_LENGTH])
            if old is not None:
                # First: a reader that sees the old champion as `previous` must know already whether it was left for good.
                if rolling_back:
                    mlflow.set_registered_model_alias(self._name, ROLLED_BACK, old)
                elif ROLLED_BACK in self.aliases():
                    mlflow.delete_registered_model_alias(self._name, ROLLED_BACK)
                mlflow.set_registered_model_alias(self._name, PREVIOUS, old)
            # The last write decides: before it the old champion serves, after it the new one.
            mlflow.set_registered_model_alias(self._name, CHAMPION, number)
        if self.aliases().get(CHALLENGER) == number:
            self.end_challenge()
        return old

    def rolled_back_version(self) -> str | None:
        """Return the version that the last rollback left; None if the champion has changed in another way since."""
        return self.aliases().get(ROLLED_BACK)

    def restore(self, previous: str | None, rolled_back: str | None) -> None:
        """Restore the aliases after a promotion that broke off. Only `churn.lifecycle.promotion` calls this.

        Parameters
        ----------
        previous, rolled_back : str or None
            The versions that had the aliases of these names; None: no version had it.
        """
        mlflow = self._client.mlflow
        with self._client.translated():
            # The order of `promote`: `rolled-back` first.
            for alias, version in ((ROLLED_BACK, rolled_back), (PREVIOUS, previous)):
                if version is not None:
                    mlflow.set_registered_model_alias(self._name, alias, version)
                elif alias in self.aliases():
                    mlflow.delete_registered_model_alias(self._name, alias)
