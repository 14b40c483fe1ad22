"""What is logged of a training, a campaign, a comparison. (Whole models that come back: tests/integration/test_registry.py.)"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from mlflow.utils import requirements_utils

import churn
from churn.errors import RegistryError
from churn.model_card.card import SUMMARY
from churn.modeling.model import build_pipeline
from churn.modeling.model_info import ModelInfo
from churn.modeling.training import Trained
from churn.registry.artifact import (
    CARD_FILE,
    EVALUATED_FILE,
    INFO_FILE,
    REFERENCE_FILE,
    artifact_folder,
    digest_folder,
    models_folder,
)
from churn.registry.client import Client
from churn.registry.downloads import Downloads
from churn.registry.runs import MAX_NAME, Runs, model_signature
from churn.registry.serialization import dump_pipeline
from churn.registry.trusted_types import TRUSTED_TYPES
from churn.registry.versions import Versions

INFO = ModelInfo(
    name="churn", trained_at=datetime(2026, 3, 1, tzinfo=UTC), trigger="a whim", data_digest="d" * 36,
    data_source="s" * (MAX_NAME + 1), simulated=True, rows=4, contract="telecom", contract_digest="c",
    features=["minutes", "plan"], threshold=0.25, params={"logreg__C": 0.1}, split_rule="r",
)  # fmt: skip
REFERENCE = pd.DataFrame({"churned": [0, 1, 0, 1], "minutes": [1.0, np.nan, 3.0, 4.0], "plan": ["a", "b", None, "a"]})
CARD = f"# Model card: churn\n\n{SUMMARY} a customer leaves.\n\nMore.\n"
DOWNLOADED = {"MLmodel": "one", "model.skops": "two"}


class FakeDownloads:
    """What the registry returns of an artifact."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []

    @contextmanager
    def download(self, source: str, _version: str) -> Iterator[Path]:
        self.asked.append(source)
        folder = self.folder / "staging"
        folder.mkdir(parents=True)
        for name, content in DOWNLOADED.items():
            (folder / name).write_text(content)
        yield folder

    def load(self, version: str) -> str:
        return f"version {version} as it was registered"


@pytest.fixture
def trained() -> Trained:
    made = SimpleNamespace(
        model=SimpleNamespace(pipeline="the pipeline", info=INFO, evaluated=None),
        reweighing=SimpleNamespace(metrics=lambda: {"gap": 0.5}),
        evaluation=SimpleNamespace(metrics=lambda prefix: {f"{prefix}roc_auc": 0.9}),
        tuned=SimpleNamespace(score=0.875),
        reference=REFERENCE,
        holdout=SimpleNamespace(rows=3),
        held_out_digest="h" * 36,
    )
    return cast(Trained, made)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, mlflow_environment: None) -> dict[str, Any]:
    """What MLflow is asked to log of a model: to do it takes seconds. Files are read, as they do not last."""
    found: dict[str, Any] = {}

    def log_model(pipeline: object, **named: Any) -> SimpleNamespace:
        contents = {Path(file).name: Path(file).read_bytes() for file in named.pop("extra_files")}
        found.update({"pipeline": pipeline, **named, "contents": contents, "run": mlflow.active_run().info.run_id})
        return SimpleNamespace(signature=found.get("signature_logged", "there is one"), model_uri="models:/m-7")

    monkeypatch.setattr(mlflow.sklearn, "log_model", log_model)
    return found


@pytest.fixture
def downloads(client: Client, logged: dict[str, Any]) -> FakeDownloads:
    return FakeDownloads(models_folder(client.settings))


@pytest.fixture
def runs(client: Client, downloads: FakeDownloads) -> Runs:
    return Runs(client, Versions(client), cast(Downloads, downloads))


def register(runs: Runs, trained: Trained, files: dict[str, Any] | None = None, **more: Any) -> Any:
    # The registry of this test knows no artifacts.
    return runs.register(trained, files or {}, {"training": "t1", "own": "tag"}, **more)


@pytest.fixture(autouse=True)
def plain_register(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    def register_model(source: str, name: str, *, await_registration_for: int, tags: dict[str, str]) -> Any:
        assert (source, await_registration_for) == ("models:/m-7", 0)
        if client.mlflow.search_registered_models() == []:
            client.mlflow.create_registered_model(name)
        return client.mlflow.create_model_version(name, f"{client.settings.home}/a", tags=tags)

    monkeypatch.setattr(mlflow, "register_model", register_model)


def test_a_training_is_one_run_with_params_metrics_tags_and_files(
    runs: Runs, client: Client, trained: Trained, logged: dict[str, Any]
) -> None:
    files = {
        "plots/a.png": Figure(),
        "tuning.csv": pd.DataFrame({"C": [0.1]}),
        "page.html": "<h1>ü</h1>",
        "gate.json": {"promote": True},
    }
    model = register(runs, trained, files)
    run = client.mlflow.get_run(model.info.run_id)
    assert run.info.run_id == logged["run"]
    assert (run.info.run_name, run.info.status) == ("a whim", "FINISHED")
    assert client.mlflow.get_experiment(run.info.experiment_id).name == "churn"
    assert run.data.params == {"logreg__C": "0.1", "rows": "4", "features": "2", "threshold": "0.25"}
    assert run.data.metrics == {"holdout_roc_auc": 0.9, "cv_score": 0.875, "gap": 0.5}
    assert (run.data.tags["training"], run.data.tags["own"]) == ("t1", "tag")
    listed = {file.path for file in client.mlflow.list_artifacts(run.info.run_id)}
    assert listed == {"plots", "tuning.csv", "page.html", "gate.json"}
    place = Path(run.info.artifact_uri.removeprefix("file://"))
    assert place.is_relative_to(client.settings.home / "artifacts")
    assert (place / "tuning.csv").read_text() == "C\n0.1\n"
    assert (place / "page.html").read_text("utf-8") == "<h1>ü</h1>"
    assert json.loads((place / "gate.json").read_text()) == {"promote": True}
    assert (place / "plots/a.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_is_logged_with_all_that_it_is_read_by_later(
    runs: Runs, trained: Trained, logged: dict[str, Any], tmp_path: Path
) -> None:
    model = register(runs, trained, card=CARD)
    assert (logged["pipeline"], logged["name"]) == ("the pipeline", "model")
    assert (logged["serialization_format"], logged["skops_trusted_types"]) == ("skops", TRUSTED_TYPES)
    assert logged["pyfunc_predict_fn"] == "predict_proba"
    assert logged["code_paths"] == [str(Path(churn.__file__).parent)]
    needed = [line.partition("==") for line in logged["pip_requirements"]]
    assert [name for name, _, version in needed if version] == ["scikit-learn", "pandas", "numpy", "skops"]
    pd.testing.assert_frame_equal(logged["input_example"], REFERENCE[["minutes", "plan"]].head(3))
    assert logged["signature"] == model_signature(REFERENCE[["minutes", "plan"]])
    contents = logged["contents"]
    assert set(contents) == {INFO_FILE, REFERENCE_FILE, CARD_FILE}
    # Its version is not known yet.
    assert ModelInfo.model_validate_json(contents[INFO_FILE]) == INFO.model_copy(update={"run_id": model.info.run_id})
    assert contents[CARD_FILE].decode("utf-8") == CARD
    (tmp_path / REFERENCE_FILE).write_bytes(contents[REFERENCE_FILE])
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / REFERENCE_FILE), REFERENCE)


def test_what_was_evaluated_is_logged_beside_what_is_served(runs: Runs, trained: Trained, logged: dict[str, Any]) -> None:
    evaluated = build_pipeline(1)
    trained.model.evaluated = evaluated  # type: ignore[misc]
    model = register(runs, trained)
    content = logged["contents"][EVALUATED_FILE]
    assert content == dump_pipeline(evaluated)
    assert model.info.evaluated_digest == hashlib.sha256(content).hexdigest()
    assert ModelInfo.model_validate_json(logged["contents"][INFO_FILE]).evaluated_digest == model.info.evaluated_digest
    assert (logged["pipeline"], model.evaluated) == ("the pipeline", evaluated)


def test_the_version_has_the_digest_of_what_the_registry_returned_and_that_is_kept(
    runs: Runs, client: Client, trained: Trained, downloads: FakeDownloads
) -> None:
    model = register(runs, trained, card=CARD)
    assert (model.pipeline, model.info.version) == ("the pipeline", "1")
    assert model.info == INFO.model_copy(update={"version": "1", "run_id": model.info.run_id})
    assert model.card.startswith("# Model card: churn, version 1\n")
    assert downloads.asked == ["models:/m-7"]
    kept = artifact_folder(client.settings, "1", model.info.run_id)
    assert {path.name for path in kept.iterdir()} >= set(DOWNLOADED)
    version = client.mlflow.get_model_version("churn", "1")
    own = {"training": "t1", "own": "tag", "data_digest": INFO.data_digest}
    assert {name: version.tags[name] for name in own} == own
    copy = downloads.folder / "copy"
    copy.mkdir()
    for name, content in DOWNLOADED.items():
        (copy / name).write_text(content)
    assert version.tags["artifact_digest"] == digest_folder(copy)
    assert version.description == (
        f"{SUMMARY} a customer leaves.\n\nThe whole card: `card.md` in the model's artifacts, `churn model card 1`, "
        "or GET /model/card."
    )


def test_without_a_card_there_is_none(runs: Runs, client: Client, trained: Trained, logged: dict[str, Any]) -> None:
    trained = cast(Trained, SimpleNamespace(**{**vars(trained), "reweighing": None}))
    model = register(runs, trained)
    assert set(logged["contents"]) == {INFO_FILE, REFERENCE_FILE}
    assert not client.mlflow.get_model_version("churn", "1").description
    assert "gap" not in client.mlflow.get_run(model.info.run_id).data.metrics


def test_a_training_that_is_registered_already_is_not_registered_again(
    runs: Runs, client: Client, trained: Trained, downloads: FakeDownloads
) -> None:
    register(runs, trained)
    assert register(runs, trained) == "version 1 as it was registered"
    assert len(downloads.asked) == len(Versions(client).versions()) == 1


@pytest.mark.parametrize(("known", "after"), [(None, {}), ({"a": ["b"]}, {"a": ["b"]})])
def test_mlflow_need_not_read_which_package_has_which_module(
    runs: Runs, trained: Trained, monkeypatch: pytest.MonkeyPatch, known: Any, after: Any
) -> None:
    monkeypatch.setattr(requirements_utils, "_MODULES_TO_PACKAGES", known)
    register(runs, trained)
    assert after == requirements_utils._MODULES_TO_PACKAGES


def test_a_model_without_its_signature_is_an_error(runs: Runs, trained: Trained, logged: dict[str, Any]) -> None:
    logged["signature_logged"] = None
    with pytest.raises(RegistryError, match="without its signature"):
        register(runs, trained)


def test_the_data_are_named_by_digest_and_source(runs: Runs, client: Client, trained: Trained) -> None:
    model = register(runs, trained)
    given = client.mlflow.get_run(model.info.run_id).inputs.dataset_inputs
    found = {one.tags[0].value: one.dataset for one in given}
    assert set(found) == {"training", "evaluation"}
    for context, digest, rows in (("training", INFO.data_digest, "4"), ("evaluation", "h" * 36, "3")):
        assert (found[context].name, found[context].digest) == ("s" * MAX_NAME, digest)
        assert json.loads(found[context].source)["tags"] == {
            "data_source": INFO.data_source, "contract": "telecom", "contract_digest": "c", "split_rule": "r",
            "simulated": "true", "rows": rows,
        }  # fmt: skip
        assert '"minutes"' in found[context].schema
        assert "churned" not in found[context].schema


def test_a_campaign_is_logged_anew_only_if_something_differs(runs: Runs, client: Client) -> None:
    given: tuple[Any, ...] = ("may", {"saved": 12.0}, {"acceptance": 0.3}, {"report.json": {"name": "may"}})
    first = runs.log_campaign(*given)
    assert runs.log_campaign(*given) == first
    others = [
        runs.log_campaign("june", *given[1:]),
        runs.log_campaign("may", {"saved": 13.0}, *given[2:]),
        runs.log_campaign(*given[:2], {"acceptance": 0.4}, given[3]),
        runs.log_campaign("", *given[1:]),
    ]
    assert len({first, *others}) == 5
    run, unnamed = client.mlflow.get_run(first), client.mlflow.get_run(others[-1])
    assert (run.info.run_name, run.data.tags["campaign"]) == ("may", "may")
    assert (unnamed.info.run_name, unnamed.data.tags["campaign"]) == ("(no name)", "")
    assert (run.data.metrics, run.data.params) == ({"saved": 12.0}, {"acceptance": "0.3"})
    assert client.mlflow.get_experiment(run.info.experiment_id).name == "churn-campaigns"
    assert [file.path for file in client.mlflow.list_artifacts(first)] == ["report.json"]
    # One that broke off says nothing.
    client.mlflow.set_terminated(first, "FAILED")
    assert runs.log_campaign(*given) != first


def test_a_comparison_has_a_run_below_it_for_each_model(runs: Runs, client: Client) -> None:
    common = runs.log_comparison(
        "a race", {"dummy": {"auc": 0.5}, "ours": {"auc": 0.9}}, {"scores.csv": pd.DataFrame({"f": [0]})}
    )
    experiment = client.mlflow.get_experiment_by_name("churn-comparison")
    found = {run.info.run_name: run for run in client.mlflow.search_runs([experiment.experiment_id])}
    assert set(found) == {"a race", "dummy", "ours"}
    assert found["a race"].info.run_id == common
    for name, auc in (("dummy", 0.5), ("ours", 0.9)):
        assert (found[name].data.metrics, found[name].data.tags["mlflow.parentRunId"]) == ({"auc": auc}, common)
    assert [file.path for file in client.mlflow.list_artifacts(common)] == ["scores.csv"]


def test_runs_of_trainings_that_never_ended_are_killed_and_no_others(runs: Runs, client: Client) -> None:
    assert runs.end_runs({"t1"}) == [], "nothing was ever logged"
    experiment = client.mlflow.create_experiment(client.name)
    started = {
        training: client.mlflow.create_run(experiment, tags={"training": training}).info.run_id for training in ("t1", "t2", "t3")
    }
    client.mlflow.create_run(experiment)
    client.mlflow.set_terminated(started["t3"])
    assert runs.end_runs({"t1", "t3"}) == [started["t1"]]
    status = {training: client.mlflow.get_run(run).info.status for training, run in started.items()}
    assert status == {"t1": "KILLED", "t2": "RUNNING", "t3": "FINISHED"}


def test_any_input_may_be_missing_and_probabilities_come_out() -> None:
    signature = model_signature(REFERENCE[["minutes", "plan"]])
    assert [(one.name, one.type.name, one.required) for one in signature.inputs.inputs] == [
        ("minutes", "double", False),
        ("plan", "string", False),
    ]
    (output,) = signature.outputs.inputs
    assert (output.type, output.shape) == (np.dtype(np.float64), (-1, 2))
