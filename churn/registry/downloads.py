"""Download artifacts of versions, check them, and keep them in `CHURN_HOME/models`, for a start while the registry is away."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
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
from churn.registry.source_checks import Entry, check_address, find_files
from churn.registry.versions import Versions

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

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

    def load_judged(self, version: str) -> Model:
        """Load a version also as it was evaluated, for whoever judges it (`Model.judged`). Raises as `load` does."""
        found = self._versions.find(version)
        with self._checked_folder(found) as folder:
            return load_folder(folder, str(found.version), judged=True)

    def reference(self, version: str) -> pd.DataFrame:
        """Read what a version was trained on, as in `Trained.reference`. Raises as `load` does."""
        found = self._versions.find(version)
        with self._checked_folder(found) as folder:
            return read_reference(folder, str(found.version))

    @contextmanager
    def download(self, uri: str, version: str) -> Iterator[Path]:
        """Yield a folder with those files of an artifact that are read; it is removed afterwards unless it was moved.

        Parameters
        ----------
        uri : str
            Of an artifact, as MLflow writes it.
        version : str
            What errors call it.

        Yields
        ------
        pathlib.Path

        Raises
        ------
        FileNotFoundError
            If there is no model at that place.
        RegistryError
            If it cannot be downloaded.
        ModelRefused
            If what lies there is no model.
        """
        models = models_folder(self._client.settings)
        models.mkdir(parents=True, exist_ok=True)
        _remove_abandoned_downloads(models)
        staging = Path(tempfile.mkdtemp(dir=models, prefix=STAGING_PREFIX))
        try:
            with self._client.translated():
                repository = self._repository(uri)
                for path in find_files(_listing(repository), version):
                    repository.download_artifacts(path, dst_path=str(staging))  # type: ignore[no-untyped-call]
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
        uri = f"models:/{self._client.name}/{number}"
        with self._client.translated():
            check_address(str(self._repository(uri).artifact_uri), self._client.uri, number)
        try:
            with self.download(uri, number) as staging:
                move_into_place(staging, target)
        except FileNotFoundError as error:
            where = shown(self._client.uri)
            raise RegistryError(f"the artifact of version {number} is not where the registry at {where} says") from error
        return target

    def _repository(self, uri: str) -> ArtifactRepository:
        """Find where an artifact lies. A version's address may be that of a logged model, which has an address in turn."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        repository = get_artifact_repository(uri, tracking_uri=self._client.uri, registry_uri=self._client.uri)
        while hasattr(repository, "repo"):
            repository = repository.repo
        return repository


def _listing(repository: ArtifactRepository) -> Callable[[str | None], list[Entry]]:
    def listed(path: str | None) -> list[Entry]:
        return [(str(one.path), bool(one.is_dir), int(one.file_size or 0)) for one in repository.list_artifacts(path)]

    return listed


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
