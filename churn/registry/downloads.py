"""Download artifacts of versions, check them, and keep them in `CHURN_HOME/models`, for a start while the registry is away."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from churn.config.urls import shown
from churn.errors import ModelRefused, RegistryError
from churn.modeling.model import Model
from churn.registry.aliases import DIGEST_TAG
from churn.registry.artifact import PIPELINE_FILE, artifact_folder, load_folder, models_folder, read_reference, seal
from churn.registry.client import Client
from churn.registry.source_checks import Entry, check_address, check_content
from churn.registry.versions import Versions

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

# What the name of a folder begins with while it is being downloaded.
STAGING_PREFIX = ".fetching-"
MAX_DOWNLOAD_SECONDS = 3_600


class Downloads:
    """The artifacts of one model's versions. Every method raises RegistryError when the registry is away."""

    def __init__(self, client: Client, versions: Versions) -> None:
        self._client = client
        self._versions = versions

    def load(self, version: str) -> Model:
        """Load a version, downloaded once. Raise NoModel if there is none, ModelRefused if it is not what was registered."""
        found = self._versions.find(version)
        with self._checked_folder(found) as folder:
            return load_folder(folder, str(found.version))

    def reference(self, version: str) -> pd.DataFrame:
        """Read what a version was trained on, as in `Trained.reference`. Raises as `load` does."""
        found = self._versions.find(version)
        with self._checked_folder(found) as folder:
            return read_reference(folder, str(found.version))

    @contextmanager
    def download(self, uri: str) -> Iterator[Path]:
        """Yield a folder with a downloaded artifact; it is removed afterwards unless it was moved.

        Parameters
        ----------
        uri : str
            Of an artifact, as MLflow writes it.

        Yields
        ------
        pathlib.Path

        Raises
        ------
        FileNotFoundError
            If there is no model at that place.
        RegistryError
            If it cannot be downloaded.
        """
        models = models_folder(self._client.settings)
        models.mkdir(parents=True, exist_ok=True)
        _remove_abandoned_downloads(models)
        staging = Path(tempfile.mkdtemp(dir=models, prefix=STAGING_PREFIX))
        try:
            with self._client.translated():
                import mlflow.artifacts

                mlflow.artifacts.download_artifacts(uri, dst_path=str(staging), tracking_uri=self._client.uri)
            # An artifact store that is not mounted downloads as nothing. Not NoModel: there is one, and it may come back.
            if not any(staging.rglob(PIPELINE_FILE)):
                raise FileNotFoundError(uri)
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    @contextmanager
    def _checked_folder(self, found: ModelVersion) -> Iterator[Path]:
        """Yield a version's folder if it holds what was registered. A refused one is removed: the download may have failed."""
        folder = self._folder(found)
        try:
            if digest := found.tags.get(DIGEST_TAG):
                seal(folder, str(found.version), digest)
            yield folder
        except ModelRefused:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _folder(self, found: ModelVersion) -> Path:
        number = str(found.version)
        target = artifact_folder(self._client.settings, number, str(found.run_id))
        if target.exists():
            return target
        with self._client.translated():
            self._check_source(number)
        try:
            with self.download(f"models:/{self._client.name}/{number}") as staging:
                move_into_place(staging, target)
        except FileNotFoundError as error:
            where = shown(self._client.uri)
            raise RegistryError(f"the artifact of version {number} is not where the registry at {where} says") from error
        return target

    def _check_source(self, number: str) -> None:
        """Check where a version's artifact lies before it is downloaded. Raise ModelRefused if models do not lie there."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        uri = self._client.uri
        repository = get_artifact_repository(f"models:/{self._client.name}/{number}", tracking_uri=uri, registry_uri=uri)
        # A version's address may be that of a logged model, which has an address in turn.
        while hasattr(repository, "repo"):
            repository = repository.repo
        check_address(str(repository.artifact_uri), uri, number)

        def listed(path: str | None) -> list[Entry]:
            return [(str(one.path), bool(one.is_dir), int(one.file_size or 0)) for one in repository.list_artifacts(path)]

        check_content(listed, number)


def move_into_place(staging: Path, target: Path) -> None:
    """Rename a downloaded folder, unless another process has downloaded the same meanwhile.

    Parameters
    ----------
    staging, target : pathlib.Path
        On one file system.

    Raises
    ------
    OSError
        If it cannot be renamed.
    """
    try:
        staging.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _remove_abandoned_downloads(models: Path) -> None:
    """Remove downloads of processes that were killed."""
    for left in models.glob(f"{STAGING_PREFIX}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > MAX_DOWNLOAD_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
