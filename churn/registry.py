"""The model registry: the only file that imports mlflow.

A version's artifact is a folder: the pipeline as skops, `model.json` (its `ModelInfo`) and `reference.parquet`. Those that were
fetched stay in `CHURN_HOME/models`, so that a registry that is away never stops the service.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.pipeline import Pipeline
from sqlalchemy import make_url

from churn.errors import InputError, ModelRefused, NoModel, RegistryError
from churn.model import Model, ModelInfo
from churn.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from churn.training import Trained

# The server's own list: what an artifact says of itself is not asked. Everything else in it is refused.
TRUSTED_TYPES = ["numpy.dtype"]
CHAMPION = "champion"
PREVIOUS = "previous"
INFO_FILE, REFERENCE_FILE, PIPELINE_FILE = "model.json", "reference.parquet", "model.skops"
# A broken archive can fail anywhere in zipfile, zlib, numpy, json, skops or an estimator; all of it means the same here.
UNREADABLE = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
    *(ValueError, TypeError, LookupError, AttributeError, ImportError, ArithmeticError, MemoryError, RuntimeError),
)


class Registry:
    """The registered versions of one model, and their aliases. Every method raises RegistryError when the registry is away."""

    def __init__(self, settings: Settings) -> None:
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

    def promote(self, version: str) -> str | None:
        """Make `version` the champion; the old one becomes `previous`, and its version is returned (None if there was none)."""
        client = self._client
        number = self.version(version)
        try:
            old: str | None = self.champion_version()
        except NoModel:
            old = None
        if old == number:
            return old
        with _translated(self._uri):
            if old is not None:
                client.set_registered_model_alias(self._name, PREVIOUS, old)
            # The last write decides: until here the old champion serves, from here the new one.
            client.set_registered_model_alias(self._name, CHAMPION, number)
        return old

    def rollback(self) -> tuple[str, str]:
        """Make the previous champion the champion again; (version that left, version that returned). NoModel if there is none."""
        leaving = self.champion_version()
        try:
            returning = self.version(PREVIOUS)
        except NoModel as error:
            raise NoModel(f"there is no previous champion of model {self._name!r} to go back to") from error
        self.promote(returning)
        return leaving, returning

    def register(self, trained: Trained, files: dict[str, Any], tags: dict[str, str]) -> Model:
        """Log a training as an MLflow run and register its model; not yet champion.

        Parameters
        ----------
        trained : Trained
        files : dict
            Run artifacts: a name ending in .png is a figure, in .csv a frame, in .json a document.
        tags : dict
            Of the run and of the version.

        Returns
        -------
        Model
            With `version` and `run_id` filled in.
        """
        client = self._client
        with _translated(self._uri), tempfile.TemporaryDirectory() as folder:
            import mlflow

            with mlflow.start_run(experiment_id=self._experiment(), run_name=trained.model.info.trigger, tags=tags) as run:
                run_id = str(run.info.run_id)
                self._log_run(trained, files)
                source = self._log_model(trained, Path(folder), run_id)
            registered = mlflow.register_model(source, self._name, await_registration_for=0, tags=tags)
            number = str(registered.version)
            client.set_model_version_tag(self._name, number, "data_digest", trained.model.info.data_digest)
        info = trained.model.info.model_copy(update={"version": number, "run_id": run_id})
        return Model(trained.model.pipeline, info)

    def _experiment(self) -> str:
        """Find or make the experiment; with a local database its artifacts lie beside it, with a server the server decides."""
        found = self._client.get_experiment_by_name(self._name)
        if found is not None:
            return str(found.experiment_id)
        local = self._uri.startswith("sqlite:")
        return self._client.create_experiment(self._name, (self._home / "artifacts").as_uri() if local else None)

    def _log_run(self, trained: Trained, files: dict[str, Any]) -> None:
        import mlflow

        info = trained.model.info
        mlflow.log_params({**info.params, "rows": info.rows, "features": len(info.features), "threshold": info.threshold})
        mlflow.log_metrics({**trained.holdout.metrics("holdout_"), "cv_score": trained.tuned.score})
        for name, content in files.items():
            match Path(name).suffix:
                case ".png":
                    mlflow.log_figure(content, name)
                case ".csv":
                    mlflow.log_text(content.to_csv(index=False), name)
                case _:
                    mlflow.log_dict(content, name)

    def _log_model(self, trained: Trained, folder: Path, run_id: str) -> str:
        import mlflow.sklearn
        from mlflow.models import infer_signature

        info = trained.model.info.model_copy(update={"run_id": run_id})
        (folder / INFO_FILE).write_text(info.model_dump_json(indent=2))
        trained.reference.to_parquet(folder / REFERENCE_FILE, index=False)
        example = trained.reference[info.features].head(3)
        logged = mlflow.sklearn.log_model(
            trained.model.pipeline,
            name="model",
            serialization_format="skops",
            skops_trusted_types=TRUSTED_TYPES,
            signature=infer_signature(example, trained.model.predict_probability(example)),
            input_example=example,
            pyfunc_predict_fn="predict_proba",
            # Spelled out: inferring them starts a process that imports everything anew.
            pip_requirements=[f"{name}=={installed(name)}" for name in ("scikit-learn", "pandas", "numpy", "skops")],
            extra_files=[str(folder / INFO_FILE), str(folder / REFERENCE_FILE)],
        )
        if logged.signature is None:
            raise RegistryError("MLflow logged the model without its signature")
        return str(logged.model_uri)

    def load(self, version: str) -> Model:
        """Fetch a version (once) and load it. NoModel if there is none, ModelRefused if it is not what it claims to be."""
        registered = self._registered(version)
        folder = self._fetch(registered)
        try:
            return load_folder(folder, str(registered.version))
        except ModelRefused:
            # Not kept: it may have been broken on the way here.
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def reference(self, version: str) -> pd.DataFrame:
        """Read what a version was trained on: churn_probability (out-of-fold), churned (0 or 1), then the features."""
        registered = self._registered(version)
        folder = self._fetch(registered)
        try:
            return pd.read_parquet(_find(folder, REFERENCE_FILE))
        except UNREADABLE as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise ModelRefused(f"the reference of version {registered.version} cannot be read: {_one_line(error)}") from error

    def _fetch(self, registered: ModelVersion) -> Path:
        number = str(registered.version)
        # The run is in the folder's name: another registry's version of the same number is another model.
        target = self._home / "models" / self._name / f"{number}-{registered.run_id}"
        if target.exists():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with _translated(self._uri):
            import mlflow.artifacts

            staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{number}-"))
            try:
                mlflow.artifacts.download_artifacts(
                    f"models:/{self._name}/{number}", dst_path=str(staging), tracking_uri=self._uri
                )
                # A store that is not mounted downloads as nothing at all. Not NoModel: there is one, and it may come back.
                if not any(staging.rglob(PIPELINE_FILE)):
                    raise RegistryError(f"the artifact of version {number} is not where the registry at {self._uri} says")
                _put(staging, target)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        return target


def _put(staging: Path, target: Path) -> None:
    try:
        staging.rename(target)
    except OSError:
        # Another process of ours fetched the same version meanwhile.
        if not target.is_dir():
            raise


def load_folder(folder: Path, version: str) -> Model:
    """Load a model from its artifact folder. Nothing is unpickled; ModelRefused if anything is not as it must be."""
    import skops.io  # here, because who only asks for versions or references should not wait for it

    try:
        info = ModelInfo.model_validate_json(_find(folder, INFO_FILE).read_text())
        file = _find(folder, PIPELINE_FILE)
        foreign = set(skops.io.get_untrusted_types(file=file)) - set(TRUSTED_TYPES)
        if foreign:
            raise ModelRefused(f"version {version} holds types that are not trusted: {', '.join(sorted(foreign))}")
        pipeline = skops.io.load(file, trusted=TRUSTED_TYPES)
    except UNREADABLE as error:
        raise ModelRefused(f"version {version} cannot be loaded: {_one_line(error)}") from error
    if not isinstance(pipeline, Pipeline):
        raise ModelRefused(f"version {version} is no pipeline but a {type(pipeline).__name__}")
    return Model(pipeline, info.model_copy(update={"version": version}))


def remember(settings: Settings, model: Model) -> None:
    """Make `model` the last known good one, for a start while the registry is away."""
    pointer = _pointer(settings)
    pointer.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: several workers of one service remember at the same time.
    with tempfile.NamedTemporaryFile("w", dir=pointer.parent, prefix=".last-", delete=False) as staging:
        json.dump({"version": model.info.version, "run_id": model.info.run_id}, staging)
    Path(staging.name).replace(pointer)


def last_known_good(settings: Settings) -> Model | None:
    """Load the last model that served, from disk alone; None if none ever did."""
    pointer = _pointer(settings)
    try:
        said = json.loads(pointer.read_text())
        version, run_id = str(said["version"]), str(said["run_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return load_folder(pointer.parent / f"{version}-{run_id}", version)


def _pointer(settings: Settings) -> Path:
    return settings.home / "models" / settings.model_name / "last-known-good.json"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _find(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name))
    if not found:
        raise FileNotFoundError(f"{name} is missing in the artifact")
    return found[0]


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
        raise InputError(f"CHURN_TRACKING_URI needs full MLflow: pip install 'churn[pipelines]' ({error})") from error


def _as_registry_error(uri: str, error: Exception) -> RegistryError:
    said = [*str(error).strip().splitlines(), type(error).__name__][0]
    # An address can hold a password.
    shown = make_url(uri).render_as_string(hide_password=True) if "@" in uri else uri
    return RegistryError(f"the registry at {shown} did not answer: {said.replace(uri, shown)}")
