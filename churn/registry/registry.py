"""The model registry: the only file that imports mlflow.

A version's artifact is the folder of `churn.registry.artifact`. Those that were fetched stay in `CHURN_HOME/models`, so that a
registry that is away never stops the service.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

import churn
from churn import DISTRIBUTION
from churn.config.settings import Settings
from churn.config.urls import shown
from churn.errors import InputError, ModelRefused, NoModel, RegistryError
from churn.model_card.card import number_card, summary
from churn.modeling.model import Model
from churn.registry.aliases import CHALLENGER, CHAMPION, DIGEST_TAG, PREVIOUS, TRAINING_TAG, Registered
from churn.registry.artifact import (
    CARD_FILE,
    INFO_FILE,
    PIPELINE_FILE,
    REFERENCE_FILE,
    TRUSTED_TYPES,
    artifact_folder,
    digest_folder,
    load_folder,
    models_folder,
    read_reference,
    seal,
)
from churn.registry.source_checks import Entry, check_address, check_content

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature

    from churn.modeling.training import Trained

# What a folder that is being fetched begins with.
STAGING = ".fetching-"
MAX_FETCH_SECONDS = 3_600
# MLflow's own limit, in characters.
MAX_TAG_LENGTH = 5_000


class Registry:
    """The registered versions of one model, and their aliases. Every method raises RegistryError when the registry is away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = settings.model_name
        self._uri = settings.tracking_uri
        self._home = settings.home
        self._client_: MlflowClient | None = None

    @property
    def _client(self) -> MlflowClient:
        if self._client_ is None:
            with _translated(self._uri):
                import mlflow
                from mlflow import MlflowClient

                # Some of MLflow's functions take no address: they ask this setting of the process.
                mlflow.set_tracking_uri(self._uri)
                mlflow.set_registry_uri(self._uri)
                if self._uri.startswith("sqlite:"):
                    self._home.mkdir(parents=True, exist_ok=True)
                self._client_ = MlflowClient(self._uri, self._uri)
        return self._client_

    def champion_version(self) -> str:
        """Tell which version has the alias `champion`; NoModel if none has."""
        return self.version(CHAMPION)

    def version(self, version_or_alias: str) -> str:
        """Resolve a version number or an alias to a version number; NoModel if there is none."""
        return str(self._registered(version_or_alias).version)

    def _registered(self, version_or_alias: str) -> ModelVersion:
        client = self._client
        with _translated(
            self._uri, f"there is no version {version_or_alias!r} of model {self._name!r}; train one with: churn train"
        ):
            if version_or_alias.isdigit():
                return client.get_model_version(self._name, version_or_alias)
            return client.get_model_version_by_alias(self._name, version_or_alias)

    def versions(self) -> list[tuple[str, list[str], dict[str, str]]]:
        """List (version, aliases, tags), newest first; empty if nothing was ever registered."""
        client = self._client
        with _translated(self._uri):
            found = client.search_model_versions(f"name='{self._name}'")
            aliases = client.get_registered_model(self._name).aliases if found else {}
        named: dict[str, list[str]] = {}
        for alias, number in aliases.items():
            named.setdefault(str(number), []).append(alias)
        return [
            (str(v.version), sorted(named.get(str(v.version), [])), dict(v.tags))
            for v in sorted(found, key=lambda v: -int(v.version))
        ]

    def previous_version(self) -> str:
        """Tell which version was champion before; NoModel if none was."""
        try:
            return self.version(PREVIOUS)
        except NoModel as error:
            raise NoModel(f"there is no previous champion of model {self._name!r} to go back to") from error

    def aliases(self) -> dict[str, str]:
        """Give alias to version; empty if nothing was ever registered."""
        client = self._client
        try:
            with _translated(self._uri, f"there is no model {self._name!r}"):
                return {str(alias): str(number) for alias, number in client.get_registered_model(self._name).aliases.items()}
        except NoModel:
            return {}

    def registered(self, version: str, /) -> Registered:
        """Tell of a version; NoModel if there is none."""
        found = self._registered(version)
        return Registered(str(found.version), str(found.run_id or ""), str(found.tags.get(DIGEST_TAG, "")))

    def challenge(self, version: str, /) -> str:
        """Give a version the alias `challenger`: services score it in the shadow. Tells its number; NoModel if none."""
        client = self._client
        number = self.version(version)
        with _translated(self._uri):
            client.set_registered_model_alias(self._name, CHALLENGER, number)
        return number

    def end_challenge(self) -> str | None:
        """Take the alias `challenger` away; tells who had it."""
        number = self.aliases().get(CHALLENGER)
        if number is not None:
            client = self._client
            with _translated(self._uri):
                client.delete_registered_model_alias(self._name, CHALLENGER)
        return number

    def tags_of(self, version: str, /) -> dict[str, str]:
        """Give the tags of a version; NoModel if there is none."""
        return dict(self._registered(version).tags)

    def promote(self, version: str, /, *, tags: Mapping[str, str] | None = None) -> str | None:
        """Move the aliases. `churn.lifecycle.promotion` calls this and keeps the record; nobody else should.

        Parameters
        ----------
        version : str
            Becomes the champion; the old one becomes `previous`.
        tags : mapping, optional
            Of the version, from before it leads.

        Returns
        -------
        str or None
            The old champion; None if there was none.
        """
        client = self._client
        number = self.version(version)
        try:
            old: str | None = self.champion_version()
        except NoModel:
            old = None
        if old == number:
            return old
        with _translated(self._uri):
            for name, value in (tags or {}).items():
                client.set_model_version_tag(self._name, number, name, value[:MAX_TAG_LENGTH])
            if old is not None:
                client.set_registered_model_alias(self._name, PREVIOUS, old)
            # The last write decides: until here the old champion serves, from here the new one.
            client.set_registered_model_alias(self._name, CHAMPION, number)
        if self.aliases().get(CHALLENGER) == number:
            self.end_challenge()
        return old

    def put_back(self, previous: str | None, /) -> None:
        """Give the alias `previous` back to who had it, after a move that did not come to its end. For `churn.lifecycle.promotion` alone."""
        client = self._client
        with _translated(self._uri):
            if previous is None:
                client.delete_registered_model_alias(self._name, PREVIOUS)
            else:
                client.set_registered_model_alias(self._name, PREVIOUS, previous)

    def register(self, trained: Trained, files: dict[str, Any], tags: dict[str, str], *, card: str = "") -> Model:
        """Log a training as an MLflow run and register its model; not yet champion.

        Parameters
        ----------
        trained : Trained
        files : dict
            Run artifacts: a name ending in .png is a figure, in .csv a frame, in .json a document.
        tags : dict
            Of the run and of the version.
        card : str
            Markdown, for people; kept in the artifact, its first words also as the version's description.

        Returns
        -------
        Model
            With `version` and `run_id` filled in.
        """
        client, training = self._client, tags.get(TRAINING_TAG)
        if training and (known := self._of_training(training)) is not None:
            # It was tried before, and only the answer was lost.
            return self.load(known)
        with _translated(self._uri), tempfile.TemporaryDirectory() as folder:
            import mlflow

            with mlflow.start_run(
                experiment_id=self._experiment(self._name), run_name=trained.model.info.trigger, tags=tags
            ) as run:
                run_id = str(run.info.run_id)
                self._log_run(trained, files)
                source = self._log_model(trained, Path(folder), run_id, card)
            with self._downloaded(source) as back:
                # Of what the registry gives back: who fetches it later can tell whether it is still the same.
                tags = {**tags, "data_digest": trained.model.info.data_digest, DIGEST_TAG: digest_folder(back)}
                # One step: a version is there with all that it is trusted by, or not at all.
                registered = mlflow.register_model(source, self._name, await_registration_for=0, tags=tags)
                number = str(registered.version)
                _put(back, artifact_folder(self._settings, number, run_id))
            if card:
                where = (
                    f"The whole card: `{CARD_FILE}` in the model's artifacts, `churn model card {number}`, or GET /model/card."
                )
                client.update_model_version(self._name, number, f"{summary(trained.model.info)}\n\n{where}")
        info = trained.model.info.model_copy(update={"version": number, "run_id": run_id})
        return Model(trained.model.pipeline, info, number_card(card, info))

    def log_comparison(self, title: str, baselines: dict[str, dict[str, float]], files: dict[str, Any]) -> str:
        """Log models that were compared, each as a run below one common run, in an experiment of their own.

        Parameters
        ----------
        title : str
            Of the common run.
        baselines : dict
            Name to metrics.
        files : dict
            Artifacts of the common run, as in `register`.

        Returns
        -------
        str
            Id of the common run.
        """
        experiment = self._experiment(f"{self._name}-comparison")
        with _translated(self._uri):
            import mlflow

            with mlflow.start_run(experiment_id=experiment, run_name=title) as common:
                _log_files(files)
                for name, metrics in baselines.items():
                    with mlflow.start_run(experiment_id=experiment, run_name=name, nested=True):
                        mlflow.log_metrics(metrics)
        return str(common.info.run_id)

    def _experiment(self, name: str) -> str:
        """Find or make an experiment; with a local database its artifacts lie beside it, with a server the server decides."""
        with _translated(self._uri):
            found = self._client.get_experiment_by_name(name)
            if found is not None:
                return str(found.experiment_id)
            local = self._uri.startswith("sqlite:")
            return self._client.create_experiment(name, (self._home / "artifacts").as_uri() if local else None)

    def _log_run(self, trained: Trained, files: dict[str, Any]) -> None:
        import mlflow

        info = trained.model.info
        mlflow.log_params({**info.params, "rows": info.rows, "features": len(info.features), "threshold": info.threshold})
        mlflow.log_metrics({**trained.evaluation.metrics("holdout_"), "cv_score": trained.tuned.score})
        _log_files(files)

    def _log_model(self, trained: Trained, folder: Path, run_id: str, card: str) -> str:
        import mlflow.sklearn

        info = trained.model.info.model_copy(update={"run_id": run_id})
        (folder / INFO_FILE).write_text(info.model_dump_json(indent=2))
        trained.reference.to_parquet(folder / REFERENCE_FILE, index=False)
        extra = [folder / INFO_FILE, folder / REFERENCE_FILE]
        if card:
            extra.append(folder / CARD_FILE)
            extra[-1].write_text(card, "utf-8")
        example = trained.reference[info.features].head(3)
        logged = mlflow.sklearn.log_model(
            trained.model.pipeline,
            name="model",
            serialization_format="skops",
            skops_trusted_types=TRUSTED_TYPES,
            signature=_signature(example),
            input_example=example,
            pyfunc_predict_fn="predict_proba",
            # The feature step is a class of ours: with its source in the artifact, any MLflow can load the model.
            code_paths=[str(Path(churn.__file__).parent)],
            # Spelled out: inferring them starts a process that imports everything anew.
            pip_requirements=[f"{name}=={installed(name)}" for name in ("scikit-learn", "pandas", "numpy", "skops")],
            extra_files=[str(file) for file in extra],
        )
        if logged.signature is None:
            raise RegistryError("MLflow logged the model without its signature")
        return str(logged.model_uri)

    def load(self, version: str) -> Model:
        """Fetch a version (once) and load it. NoModel if there is none, ModelRefused if it is not what it claims to be."""
        registered = self._registered(version)
        with self._checked(registered) as folder:
            return load_folder(folder, str(registered.version))

    def identity(self, version: str) -> str:
        """Give what no other version has, here or in another registry: versions are numbered anew where a registry is."""
        return str(self._registered(version).run_id)

    def reference(self, version: str) -> pd.DataFrame:
        """Read what a version was trained on, as `Trained.reference` has it."""
        registered = self._registered(version)
        with self._checked(registered) as folder:
            return read_reference(folder, str(registered.version))

    @contextmanager
    def _checked(self, registered: ModelVersion) -> Iterator[Path]:
        """Give a version's folder, if it holds what was registered. A refused one is not kept: it may have broken on the way."""
        folder = self._fetch(registered)
        try:
            if promised := registered.tags.get(DIGEST_TAG):
                seal(folder, str(registered.version), promised)
            yield folder
        except ModelRefused:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _fetch(self, registered: ModelVersion) -> Path:
        number = str(registered.version)
        target = artifact_folder(self._settings, number, str(registered.run_id))
        if target.exists():
            return target
        with _translated(self._uri):
            self._check_source(number)
        try:
            with self._downloaded(f"models:/{self._name}/{number}") as staging:
                _put(staging, target)
        except FileNotFoundError as error:
            raise RegistryError(
                f"the artifact of version {number} is not where the registry at {shown(self._uri)} says"
            ) from error
        return target

    @contextmanager
    def _downloaded(self, uri: str) -> Iterator[Path]:
        """Download an artifact to a folder that goes with the `with` block, unless it was moved; FileNotFoundError if none."""
        models = models_folder(self._settings)
        models.mkdir(parents=True, exist_ok=True)
        _sweep(models)
        staging = Path(tempfile.mkdtemp(dir=models, prefix=STAGING))
        try:
            with _translated(self._uri):
                import mlflow.artifacts

                mlflow.artifacts.download_artifacts(uri, dst_path=str(staging), tracking_uri=self._uri)
            # A store that is not mounted downloads as nothing at all. Not NoModel: there is one, and it may come back.
            if not any(staging.rglob(PIPELINE_FILE)):
                raise FileNotFoundError(uri)
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _of_training(self, training: str) -> str | None:
        """Find the version that a training registered."""
        return next((version for version, _, tags in self.versions() if tags.get(TRAINING_TAG) == training), None)

    def end_runs(self, trainings: set[str], /) -> list[str]:
        """Mark the runs of these trainings that never ended as killed; gives their ids. Their processes must be gone."""
        client = self._client
        with _translated(self._uri):
            experiment = client.get_experiment_by_name(self._name)
            if experiment is None:
                return []
            running = client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'")
            left = [str(run.info.run_id) for run in running if run.data.tags.get(TRAINING_TAG) in trainings]
            for run_id in left:
                client.set_terminated(run_id, "KILLED")
        return left

    def _check_source(self, number: str) -> None:
        """Look at what the registry says before it is fetched; ModelRefused if it is nothing that models are fetched from."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        repository = get_artifact_repository(f"models:/{self._name}/{number}", tracking_uri=self._uri, registry_uri=self._uri)
        # A version's address may be that of a logged model, which has an address in turn.
        while hasattr(repository, "repo"):
            repository = repository.repo
        check_address(str(repository.artifact_uri), self._uri, number)

        def listed(path: str | None) -> list[Entry]:
            return [(str(one.path), bool(one.is_dir), int(one.file_size or 0)) for one in repository.list_artifacts(path)]

        check_content(listed, number)


def _sweep(models: Path) -> None:
    """Remove what processes that were killed had begun to fetch."""
    for left in models.glob(f"{STAGING}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > MAX_FETCH_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _log_files(files: dict[str, Any]) -> None:
    import mlflow

    for name, content in files.items():
        match Path(name).suffix:
            case ".png":
                mlflow.log_figure(content, name)
            case ".csv":
                mlflow.log_text(content.to_csv(index=False), name)
            case _:
                mlflow.log_dict(content, name)


def _signature(columns: pd.DataFrame) -> ModelSignature:
    """Say what goes in, any of which may be missing, and that a probability comes out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    kinds = {name: DataType.double if is_numeric_dtype(columns[name]) else DataType.string for name in columns}
    inputs = Schema([ColSpec(kind, str(name), required=False) for name, kind in kinds.items()])
    return ModelSignature(inputs, Schema([TensorSpec(np.dtype(np.float64), (-1, 2))]))


def _put(staging: Path, target: Path) -> None:
    try:
        staging.rename(target)
    except OSError:
        # Another process of ours fetched the same version meanwhile.
        if not target.is_dir():
            raise


@contextmanager
def _translated(uri: str, missing: str = "") -> Iterator[None]:
    """Turn MLflow's errors, and those of the network and database below it, into RegistryError and NoModel."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except MlflowException as error:
        if missing and error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise NoModel(missing) from error
        raise _as_registry_error(uri, error) from error
    except (RequestException, SQLAlchemyError, OSError) as error:
        raise _as_registry_error(uri, error) from error
    except ImportError as error:
        raise InputError(f"CHURN_TRACKING_URI needs full MLflow: pip install '{DISTRIBUTION}[pipelines]' ({error})") from error


def _as_registry_error(uri: str, error: Exception) -> RegistryError:
    said = [*str(error).strip().splitlines(), type(error).__name__][0]
    return RegistryError(f"the registry at {shown(uri)} did not answer: {said.replace(uri, shown(uri))}")
