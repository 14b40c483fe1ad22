"""Log trainings as MLflow runs, and register the models that they made."""

from __future__ import annotations

import hashlib
import tempfile
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

import churn
from churn.errors import RegistryError
from churn.model_card.card import number_card, summary_in
from churn.modeling.model import Model
from churn.registry.aliases import DIGEST_TAG, TRAINING_TAG
from churn.registry.artifact import CARD_FILE, EVALUATED_FILE, INFO_FILE, REFERENCE_FILE, artifact_folder, digest_folder
from churn.registry.client import Client
from churn.registry.downloads import Downloads, move_into_place
from churn.registry.serialization import dump_pipeline
from churn.registry.trusted_types import TRUSTED_TYPES, prepare_skops
from churn.registry.versions import Versions

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from churn.modeling.model_info import ModelInfo
    from churn.modeling.training import Trained


# MLflow's own limit of a data set's name, in characters.
MAX_NAME = 500


class Runs:
    """The runs of one model's trainings. Every method raises RegistryError when the registry is away."""

    def __init__(self, client: Client, versions: Versions, downloads: Downloads) -> None:
        self._client = client
        self._versions = versions
        self._downloads = downloads

    def register(self, trained: Trained, files: dict[str, Any], tags: dict[str, str], *, card: str = "") -> Model:
        """Log a training as an MLflow run and register its model, not yet as champion.

        Parameters
        ----------
        trained : Trained
        files : dict
            Artifacts of the run by name: a figure if it ends in .png, a data frame in .csv, a document in .json.
        tags : dict
            Tags of the run and of the version.
        card : str
            The model card as Markdown. It is kept in the artifact; its summary becomes the version's description.

        Returns
        -------
        Model
            With `version` and `run_id` filled in.
        """
        client, training = self._client.mlflow, tags.get(TRAINING_TAG)
        if training and (known := self._versions.of_training(training)) is not None:
            # A retry: it was registered before, and only the answer was lost.
            return self._downloads.load(known)
        with self._client.translated(), tempfile.TemporaryDirectory() as folder:
            import mlflow

            with mlflow.start_run(
                experiment_id=self._experiment(self._client.name), run_name=trained.model.info.trigger, tags=tags
            ) as run:
                run_id = str(run.info.run_id)
                self._log_run(trained, files)
                info = trained.model.info.model_copy(update={"run_id": run_id})
                evaluated = None if trained.model.evaluated is None else dump_pipeline(trained.model.evaluated)
                if evaluated is not None:
                    info = info.model_copy(update={"evaluated_digest": hashlib.sha256(evaluated).hexdigest()})
                source = self._log_model(trained, info, Path(folder), card, evaluated)
            with self._downloads.download(source, "(new)") as back:
                # The digest of what the registry returns: whoever downloads it later can tell whether it is still the same.
                tags = {**tags, "data_digest": trained.model.info.data_digest, DIGEST_TAG: digest_folder(back)}
                # In one step: a version exists with its digest, or not at all.
                registered = mlflow.register_model(source, self._client.name, await_registration_for=0, tags=tags)
                number = str(registered.version)
                move_into_place(back, artifact_folder(self._client.settings, number, run_id))
            if card:
                where = (
                    f"The whole card: `{CARD_FILE}` in the model's artifacts, `churn model card {number}`, or GET /model/card."
                )
                client.update_model_version(self._client.name, number, f"{summary_in(card)}\n\n{where}")
        info = info.model_copy(update={"version": number})
        return Model(trained.model.pipeline, info, number_card(card, info), trained.model.evaluated)

    def log_comparison(self, title: str, baselines: dict[str, dict[str, float]], files: dict[str, Any]) -> str:
        """Log models that were compared, each as a nested run of one common run, in an experiment of their own.

        Parameters
        ----------
        title : str
            Name of the common run.
        baselines : dict of str to dict
            Metrics of each model, by its name.
        files : dict
            Artifacts of the common run, as in `register`.

        Returns
        -------
        str
            The id of the common run.
        """
        experiment = self._experiment(f"{self._client.name}-comparison")
        with self._client.translated():
            import mlflow

            with mlflow.start_run(experiment_id=experiment, run_name=title) as common:
                _log_files(files)
                for name, metrics in baselines.items():
                    with mlflow.start_run(experiment_id=experiment, run_name=name, nested=True):
                        mlflow.log_metrics(metrics)
        return str(common.info.run_id)

    def log_campaign(self, name: str, metrics: dict[str, float], params: dict[str, Any], files: dict[str, Any]) -> str:
        """Log what a campaign brought as a run, in an experiment of their own; what was logged last is not logged again.

        Parameters
        ----------
        name : str
            Of the campaign.
        metrics : dict of str to float
        params : dict
            What was assumed.
        files : dict
            Artifacts of the run, as in `register`; pages end in .html.

        Returns
        -------
        str
            The id of the run.
        """
        experiment = self._experiment(f"{self._client.name}-campaigns")
        said = hashlib.sha256(repr([name, sorted(metrics.items()), sorted(params.items())]).encode()).hexdigest()
        with self._client.translated():
            import mlflow

            known = self._client.mlflow.search_runs(
                [experiment], f"tags.digest = '{said}' and attributes.status = 'FINISHED'", max_results=1
            )
            if known:
                return str(known[0].info.run_id)
            tags = {"campaign": name, "digest": said}
            with mlflow.start_run(experiment_id=experiment, run_name=name or "(no name)", tags=tags) as run:
                mlflow.log_params(params)
                mlflow.log_metrics(metrics)
                _log_files(files)
        return str(run.info.run_id)

    def end_runs(self, trainings: set[str], /) -> list[str]:
        """Mark runs of trainings that never ended as killed, and return their ids. Their processes must be gone."""
        client = self._client.mlflow
        with self._client.translated():
            experiment = client.get_experiment_by_name(self._client.name)
            if experiment is None:
                return []
            running = client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'")
            left = [str(run.info.run_id) for run in running if run.data.tags.get(TRAINING_TAG) in trainings]
            for run_id in left:
                client.set_terminated(run_id, "KILLED")
        return left

    def _experiment(self, name: str) -> str:
        """Return the id of an experiment, made if it is new. A local one has its artifacts beside it; a server decides itself."""
        with self._client.translated():
            found = self._client.mlflow.get_experiment_by_name(name)
            if found is not None:
                return str(found.experiment_id)
            artifacts = (self._client.settings.home / "artifacts").as_uri() if self._client.is_local else None
            return self._client.mlflow.create_experiment(name, artifacts)

    def _log_run(self, trained: Trained, files: dict[str, Any]) -> None:
        import mlflow

        info = trained.model.info
        mlflow.log_params({**info.params, "rows": info.rows, "features": len(info.features), "threshold": info.threshold})
        fairness = trained.reweighing.metrics() if trained.reweighing else {}
        mlflow.log_metrics({**trained.evaluation.metrics("holdout_"), "cv_score": trained.tuned.score, **fairness})
        _log_data(trained)
        _log_files(files)

    def _log_model(self, trained: Trained, info: ModelInfo, folder: Path, card: str, evaluated: bytes | None) -> str:
        import mlflow.sklearn

        (folder / INFO_FILE).write_text(info.model_dump_json(indent=2))
        trained.reference.to_parquet(folder / REFERENCE_FILE, index=False)
        extra = [folder / INFO_FILE, folder / REFERENCE_FILE]
        if evaluated is not None:
            extra.append(folder / EVALUATED_FILE)
            extra[-1].write_bytes(evaluated)
        if card:
            extra.append(folder / CARD_FILE)
            extra[-1].write_text(card, "utf-8")
        example = trained.reference[info.features].head(3)
        _name_no_modules()
        prepare_skops()
        logged = mlflow.sklearn.log_model(
            trained.model.pipeline,
            name="model",
            serialization_format="skops",
            skops_trusted_types=TRUSTED_TYPES,
            signature=model_signature(example),
            input_example=example,
            pyfunc_predict_fn="predict_proba",
            # The feature step is a class of this package: with its source in the artifact, any MLflow can load the model.
            code_paths=[str(Path(churn.__file__).parent)],
            # Listed: to infer them, MLflow starts a process that imports everything again.
            pip_requirements=[f"{name}=={installed(name)}" for name in ("scikit-learn", "pandas", "numpy", "skops")],
            extra_files=[str(file) for file in extra],
        )
        if logged.signature is None:
            raise RegistryError("MLflow logged the model without its signature")
        return str(logged.model_uri)


def _log_data(trained: Trained) -> None:
    """Log which customers were learned from and which were held out: digests and source, and none of the rows."""
    import mlflow
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    info = trained.model.info
    source = {
        "data_source": info.data_source,
        "contract": info.contract,
        "contract_digest": info.contract_digest,
        "split_rule": info.split_rule,
        "simulated": str(info.simulated).lower(),
    }
    schema = model_signature(trained.reference[info.features].head(1)).inputs
    for context, digest, rows in (
        ("training", info.data_digest, info.rows),
        ("evaluation", trained.held_out_digest, trained.holdout.rows),
    ):
        # The source is a description: the rows may be of a database or of the traffic, and are nobody's to fetch.
        described = CodeDatasetSource({**source, "rows": str(rows)})
        # MLflow's own class of data that are only described; it inherits a property that mypy takes for abstract.
        dataset = MetaDataset(described, info.data_source[:MAX_NAME], digest, schema)  # type: ignore[abstract]
        mlflow.log_input(dataset, context=context)


def _name_no_modules() -> None:
    """Let MLflow find the listed requirements by their names.

    It would first read which modules each package on this machine has, a second of CPU, for packages that have no metadata.
    """
    from mlflow.utils import requirements_utils

    if requirements_utils._MODULES_TO_PACKAGES is None:
        requirements_utils._MODULES_TO_PACKAGES = {}  # type: ignore[assignment]


def _log_files(files: dict[str, Any]) -> None:
    import mlflow

    for name, content in files.items():
        match Path(name).suffix:
            case ".png":
                mlflow.log_figure(content, name)
            case ".csv":
                mlflow.log_text(content.to_csv(index=False), name)
            case ".html":
                mlflow.log_text(content, name)
            case _:
                mlflow.log_dict(content, name)


def model_signature(columns: pd.DataFrame) -> ModelSignature:
    """Return the signature: any input may be missing, and probabilities come out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    types = {name: DataType.double if is_numeric_dtype(columns[name]) else DataType.string for name in columns}
    inputs = Schema([ColSpec(type_, str(name), required=False) for name, type_ in types.items()])
    return ModelSignature(inputs, Schema([TensorSpec(np.dtype(np.float64), (-1, 2))]))
