"""The registry on a real MLflow with a SQLite database: one for the module, because making one takes seconds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from churn.config.params import Params, TuningParams
from churn.config.settings import Settings
from churn.contract import Contract
from churn.customers.frame import frame_digest
from churn.errors import ModelRefused, NoModel, RegistryError
from churn.evaluation.plots import draw_quality
from churn.lifecycle import decision_log, promotion
from churn.model_card.card import render_card
from churn.modeling.model import Model
from churn.modeling.training import Trained, train
from churn.modeling.training_set import assemble
from churn.registry.aliases import DIGEST_TAG
from churn.registry.artifact import REFERENCE_FILE
from churn.registry.connect import registry_reader
from churn.registry.last_known_good import load_last_known_good, save_last_known_good
from churn.registry.registry import Registry
from churn.simulation.simulate import simulate
from churn.store.records import DecisionKind
from churn.store.store import Store
from tests.checkout import CHECKOUT
from tests.skops_io import skops_io

PARAMS = Params(tuning=TuningParams(folds=2, grid={"logreg__C": [0.1]}))


def trained_with(contract: Contract, seed: int) -> Trained:
    training_set = assemble(simulate(contract, 400, seed), None, contract, PARAMS)
    return train(training_set, contract, PARAMS, name="churn", trigger=f"test {seed}")


@pytest.fixture(scope="module")
def settings(mlflow_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def challengers(contract: Contract) -> list[Trained]:
    return [trained_with(contract, seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def models(settings: Settings, challengers: list[Trained], contract: Contract) -> list[Model]:
    """Versions 1 and 2. Before the first there is nothing, which only this fixture can see."""
    registry = Registry(settings)
    assert registry.versions() == []
    with pytest.raises(NoModel, match="churn train"):
        registry.champion_version()
    with pytest.raises(NoModel):
        registry.load("1")
    registered = []
    for trained in challengers:
        held = trained.reference
        files = {
            "plots/quality.png": draw_quality(held["churned"].to_numpy(), trained.tuned.out_of_fold, 0.5, "quality"),
            "tuning.csv": trained.tuned.candidates,
            "gate.json": {"promote": True},
        }
        info = trained.model.info
        card = render_card(info, contract=contract, params=PARAMS, evaluation=trained.evaluation.report())
        registered.append(registry.register(trained, files, {"trigger": info.trigger, "simulated": "true"}, card=card))
    with pytest.raises(NoModel):
        registry.champion_version()
    return registered


@pytest.fixture
def registry(settings: Settings, models: list[Model]) -> Registry:
    assert [model.info.version for model in models] == ["1", "2"]
    return Registry(settings)


def cached(settings: Settings, model: Model) -> Path:
    return settings.home / "models" / "churn" / f"{model.info.version}-{model.info.run_id}"


def other_home(settings: Settings, home: Path) -> Settings:
    """Another machine that asks the same registry."""
    return settings.model_copy(update={"home": home})


def test_a_registered_model_answers_bit_for_bit_as_it_did_in_training(
    registry: Registry, models: list[Model], challengers: list[Trained]
) -> None:
    for number, trained in enumerate(challengers, start=1):
        loaded = registry.load(str(number))
        customers = trained.reference
        assert np.array_equal(loaded.predict_probability(customers), trained.model.predict_probability(customers))
        assert loaded.info == models[number - 1].info
        assert loaded.info.version == str(number)
        assert loaded.info.run_id
        assert loaded.info.metrics == trained.holdout.metrics()


def test_the_reference_is_who_it_was_trained_on(registry: Registry, challengers: list[Trained]) -> None:
    pd.testing.assert_frame_equal(registry.reference("2"), challengers[1].reference, check_exact=True)


def test_the_record_names_the_reference_that_drift_is_measured_against(registry: Registry) -> None:
    assert frame_digest(registry.reference("1")) == registry.load("1").info.reference_digest != ""


def test_a_run_names_its_data_by_digest_and_source_and_holds_none_of_the_rows(
    models: list[Model], challengers: list[Trained]
) -> None:
    from mlflow import MlflowClient

    run = MlflowClient().get_run(models[1].info.run_id)
    inputs = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
    assert set(inputs) == {"training", "evaluation"}
    info, trained = models[1].info, challengers[1]
    assert (inputs["training"].name, inputs["training"].digest) == (info.data_source, info.data_digest)
    assert inputs["evaluation"].digest == trained.held_out_digest != info.data_digest
    for context, rows in (("training", info.rows), ("evaluation", trained.holdout.rows)):
        tags = json.loads(inputs[context].source)["tags"]
        assert tags["rows"] == str(rows)
        assert (tags["contract_digest"], tags["split_rule"]) == (info.contract_digest, info.split_rule)
        assert info.features[0] in inputs[context].schema
        assert not inputs[context].profile


def test_the_card_comes_back_with_the_model_and_describes_the_version(
    registry: Registry, models: list[Model], challengers: list[Trained]
) -> None:
    from mlflow import MlflowClient

    card = registry.load("2").card
    assert card == models[1].card
    assert card.startswith("# Model card: churn, version 2\n")
    assert "TRAINED ON SIMULATED CUSTOMERS" in card
    interval = challengers[1].evaluation.intervals["roc_auc"]
    assert f"| roc_auc | {challengers[1].holdout.roc_auc:.4f} | [{interval[0]:.4f}, {interval[1]:.4f}] |" in card
    described = MlflowClient().get_model_version("churn", "2").description
    assert described.startswith("Probability that a telecom customer leaves, by a logistic regression on ")
    assert "churn model card 2" in described


def test_a_promotion_is_recorded_in_store_and_registry(registry: Registry, tmp_path: Path) -> None:
    registry.promote("1")
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    loaded = registry.load("2")
    assert promotion.promote(registry, store, loaded.info, actor="ada@desk", reason="the gate was wrong") == "1"
    back = registry.load(promotion.rollback_version(registry, store))
    assert (
        promotion.rollback(registry, store, back.info, leaving=registry.champion_version(), actor="bob@desk", reason="so was ada")
        == "2"
    )
    undone, done = decision_log.drop_closed_intents(store.decisions(kind=decision_log.HISTORY))
    store.close()
    assert (done.kind, done.model_version, done.evidence["replaced"], done.actor) == (
        DecisionKind.PROMOTION,
        "2",
        "1",
        "ada@desk",
    )
    assert (undone.kind, undone.model_version, undone.evidence["replaced"], undone.actor) == (
        DecisionKind.ROLLBACK,
        "1",
        "2",
        "bob@desk",
    )
    for decision, model in ((done, loaded), (undone, back)):
        for name in ("run_id", "data_digest", "reference_digest", "threshold"):
            assert decision.evidence[name] == getattr(model.info, name) != ""
    tags = {version: tags for version, _, tags in registry.versions()}
    assert (tags["2"]["promoted_by"], tags["2"]["promotion_reason"]) == ("ada@desk", "the gate was wrong")
    assert tags["1"]["promotion_intent"] == undone.evidence["intent"]
    assert (registry.champion_version(), registry.previous_version()) == ("1", "2")


def test_a_reason_longer_than_a_tag_may_be_does_not_stop_a_promotion(registry: Registry) -> None:
    registry.promote("1")
    registry.promote("2", tags={"promotion_reason": "x" * 20_000})
    assert registry.champion_version() == "2"


def test_mlflow_s_own_clients_find_signature_example_and_the_right_answers(
    registry: Registry, challengers: list[Trained], contract: Contract
) -> None:
    import mlflow

    registry.version("1")
    model = mlflow.pyfunc.load_model("models:/churn/1")
    features = challengers[0].model.info.features
    assert model.metadata.signature is not None
    assert model.metadata.signature.inputs.input_names() == features
    kinds = [str(kind) for kind in model.metadata.signature.inputs.input_types()]
    assert kinds == ["DataType.double" if contract[name].is_numeric else "DataType.string" for name in features]
    assert model.input_example.columns.tolist() == features
    customers = challengers[0].reference[features].head(20)
    expected = challengers[0].model.predict_probability(customers)
    assert np.array_equal(np.asarray(model.predict(customers))[:, 1], expected)


def test_the_run_shows_params_metrics_and_files(registry: Registry, models: list[Model], challengers: list[Trained]) -> None:
    import mlflow

    registry.version("1")
    run = mlflow.get_run(models[0].info.run_id)
    assert float(run.data.params["logreg__C"]) == 0.1
    assert float(run.data.params["threshold"]) == models[0].info.threshold
    assert run.data.metrics["holdout_roc_auc"] == challengers[0].holdout.roc_auc
    assert run.data.metrics["cv_score"] == challengers[0].tuned.score
    assert run.data.tags["trigger"] == "test 1"
    assert run.info.run_name == "test 1"
    listed = {file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
    assert {"plots", "tuning.csv", "gate.json"} <= listed
    assert mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/gate.json") == {"promote": True}


def test_versions_are_listed_newest_first_with_aliases_and_tags(registry: Registry, models: list[Model]) -> None:
    registry.promote("1")
    registry.promote("2")
    listed = registry.versions()
    assert [(version, aliases) for version, aliases, _ in listed] == [("2", ["champion"]), ("1", ["previous"])]
    assert listed[1][2]["trigger"] == "test 1"
    assert listed[1][2]["data_digest"] == models[0].info.data_digest


def test_promotion_names_who_it_was_and_the_way_back(registry: Registry) -> None:
    registry.promote("1")
    assert registry.promote("2") == "1"
    assert registry.champion_version() == registry.version("champion") == "2"
    assert registry.version("previous") == "1"
    assert registry.previous_version() == "1"
    assert registry.promote(registry.previous_version()) == "2"
    assert registry.champion_version() == "1"
    assert registry.load("champion").info.version == "1"
    assert registry.previous_version() == "2"


def test_promoting_the_champion_again_changes_nothing(registry: Registry) -> None:
    registry.promote("1")
    registry.promote("2")
    assert registry.promote("2") == "2"
    assert (registry.champion_version(), registry.version("previous")) == ("2", "1")


def test_what_was_never_registered_is_no_model(registry: Registry, settings: Settings) -> None:
    registry.promote("1")
    for unknown in ("99", "nobody"):
        with pytest.raises(NoModel, match=unknown):
            registry.version(unknown)
    with pytest.raises(NoModel):
        registry.promote("99")
    assert registry.champion_version() == "1"
    with pytest.raises(NoModel):
        Registry(settings.model_copy(update={"model_name": "other"})).champion_version()


def test_without_a_previous_champion_there_is_nothing_to_go_back_to(
    registry: Registry, settings: Settings, contract: Contract
) -> None:
    from mlflow import MlflowClient

    registry.promote("1")
    MlflowClient().delete_registered_model_alias("churn", "previous")
    with pytest.raises(NoModel, match="no previous champion"):
        registry.previous_version()
    assert registry.champion_version() == "1"


@pytest.mark.parametrize("damage", ["truncated", "garbage", "no model.json"])
def test_a_damaged_artifact_is_refused_and_fetched_anew(
    registry: Registry, settings: Settings, models: list[Model], damage: str
) -> None:
    registry.load("1")
    folder = cached(settings, models[0])
    file = next(folder.rglob("model.skops"))
    match damage:
        case "truncated":
            file.write_bytes(file.read_bytes()[:-500])
        case "garbage":
            file.write_bytes(b"not a model")
        case _:
            next(folder.rglob("model.json")).unlink()
    with pytest.raises(ModelRefused, match="version 1"):
        registry.load("1")
    assert not folder.exists()
    assert registry.load("1").info.version == "1"


def test_a_damaged_reference_is_refused_and_fetched_anew(registry: Registry, settings: Settings, models: list[Model]) -> None:
    registry.reference("1")
    next(cached(settings, models[0]).rglob(REFERENCE_FILE)).write_bytes(b"PAR1")
    with pytest.raises(ModelRefused, match="artifact of version 1 is not the one that was registered"):
        registry.reference("1")
    assert len(registry.reference("1")) == models[0].info.rows


def test_a_foreign_type_in_the_registry_is_refused_and_not_kept(
    registry: Registry, settings: Settings, models: list[Model], tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    here = other_home(settings, tmp_path)
    Registry(here).load("2")
    foreign = Pipeline([("own", FunctionTransformer(assemble)), ("logreg", models[1].pipeline["logreg"])])
    next(cached(here, models[1]).rglob("model.skops")).write_bytes(skops_io.dumps(foreign))
    client, digest = MlflowClient(), registry.registered("2").artifact_digest
    client.delete_model_version_tag("churn", "2", DIGEST_TAG)  # as of a version from before there were digests
    try:
        with pytest.raises(ModelRefused, match=r"churn\.modeling\.training_set\.assemble"):
            Registry(here).load("2")
    finally:
        client.set_model_version_tag("churn", "2", DIGEST_TAG, digest)
    assert not cached(here, models[1]).exists()


def test_an_artifact_that_is_not_the_one_registered_is_refused_before_it_is_loaded(
    registry: Registry, settings: Settings, models: list[Model], tmp_path: Path
) -> None:
    here = other_home(settings, tmp_path)
    Registry(here).load("2")
    shutil.copyfile(
        *(next(cached(place, model).rglob("model.skops")) for place, model in ((settings, models[0]), (here, models[1])))
    )
    with pytest.raises(ModelRefused, match="version 2 is not the one that was registered"):
        Registry(here).load("2")
    assert Registry(here).load("2").info.version == "2"  # fetched anew


def test_every_way_to_ask_for_aliases_and_versions_says_the_same(
    registry: Registry, settings: Settings, models: list[Model]
) -> None:
    registry.promote("1")
    registry.promote("2")
    assert registry.challenge("1") == "1"
    light = registry_reader(settings)
    assert not isinstance(light, Registry)
    assert light.aliases() == registry.aliases() == {"champion": "2", "previous": "1", "challenger": "1"}
    assert light.versions() == registry.versions()
    assert light.versions()[1].aliases == ["challenger", "previous"]
    assert light.registered("1") == registry.registered("1")
    assert light.registered("1").run_id == models[0].info.run_id
    assert len(light.registered("1").artifact_digest) == 64
    for reader in (light, registry):
        with pytest.raises(NoModel):
            reader.registered("99")
    registry.promote("1")  # it won: there is no challenger any more
    assert light.aliases() == {"champion": "1", "previous": "2"}
    registry.challenge("2")
    assert registry.end_challenge() == "2"
    assert registry.end_challenge() is None
    other = settings.model_copy(update={"model_name": "other"})
    assert Registry(other).aliases() == registry_reader(other).aliases() == {}
    assert Registry(other).versions() == registry_reader(other).versions() == []


def test_a_version_that_was_deleted_is_in_no_list(settings: Settings, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    bare = settings.model_copy(update={"home": tmp_path, "tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}"})
    assert Registry(bare).versions() == []
    client = MlflowClient(bare.tracking_uri, bare.tracking_uri)
    client.create_registered_model("churn")
    for trigger in ("kept", "deleted"):
        client.create_model_version("churn", "runs:/none/model", run_id="0" * 32, tags={"trigger": trigger})
    client.delete_model_version("churn", "2")
    light = registry_reader(bare)
    assert light.versions() == Registry(bare).versions() == [("1", [], {"trigger": "kept"})]
    for reader in (light, Registry(bare)):
        with pytest.raises(NoModel):
            reader.registered("2")


def test_what_was_fetched_outlives_an_artifact_store_that_is_away(
    registry: Registry, settings: Settings, models: list[Model]
) -> None:
    registry.load("1")
    artifacts, away = settings.home / "artifacts", settings.home / "artifacts-away"
    artifacts.rename(away)
    try:
        assert registry.load("1").info.version == "1"
        shutil.rmtree(cached(settings, models[1]), ignore_errors=True)
        with pytest.raises(RegistryError, match="artifact of version 2") as caught:
            registry.load("2")
    finally:
        away.rename(artifacts)
    # Taken for no model, the gate would let any challenger through.
    assert not isinstance(caught.value, NoModel)
    assert registry.load("2").info.version == "2"


def test_fetching_leaves_nothing_half_written(registry: Registry, settings: Settings, tmp_path: Path) -> None:
    here = other_home(settings, tmp_path)
    for name, hours in ((".fetching-old", 2), (".fetching-now", 0)):
        # Of a process that was killed, and of one that is at it.
        left = tmp_path / "models" / "churn" / name
        left.mkdir(parents=True)
        os.utime(left, (time.time() - 3_600 * hours,) * 2)
    Registry(here).load("1")
    left.rmdir()
    assert len(list((tmp_path / "models" / "churn").iterdir())) == 1


def test_two_processes_that_fetch_at_once_both_get_the_model(
    registry: Registry, settings: Settings, models: list[Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow.artifacts

    here = other_home(settings, tmp_path)
    download = mlflow.artifacts.download_artifacts

    def overtaken(*arguments: str, **named: str) -> str:
        fetched = download(*arguments, **named)
        if not cached(here, models[0]).exists():
            shutil.copytree(named["dst_path"], cached(here, models[0]))
        return fetched

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", overtaken)
    assert Registry(here).load("1").info.version == "1"
    assert [path.name for path in (tmp_path / "models" / "churn").iterdir()] == [cached(here, models[0]).name]


def away(home: Path) -> Settings:
    return Settings(home=home, tracking_uri="http://127.0.0.1:1")


def test_a_registry_that_is_away_is_found_out_quickly(
    mlflow_environment: None, tmp_path: Path, challengers: list[Trained]
) -> None:
    registry = Registry(away(tmp_path))
    begun = time.monotonic()
    for call in (
        registry.champion_version,
        registry.versions,
        registry.previous_version,
        lambda: registry.load("1"),
        lambda: registry.reference("1"),
        lambda: registry.promote("1"),
        lambda: registry.register(challengers[0], {}, {}),
    ):
        with pytest.raises(RegistryError, match=r"127\.0\.0\.1:1 did not answer") as caught:
            call()
        assert not isinstance(caught.value, NoModel)
        assert "\n" not in str(caught.value)
    assert time.monotonic() - begun < 120


def test_a_database_that_is_none_is_a_registry_error(mlflow_environment: None, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear customer, " * 200)
    with pytest.raises(RegistryError, match="did not answer"):
        Registry(Settings(home=tmp_path, tracking_uri=f"sqlite:///{letter}")).champion_version()


def test_the_last_known_good_model_needs_no_registry(
    registry: Registry, settings: Settings, challengers: list[Trained], tmp_path: Path
) -> None:
    here = other_home(settings, tmp_path)
    save_last_known_good(here, Registry(here).load("2"))
    back = load_last_known_good(away(tmp_path))
    assert back is not None
    assert back.info.version == "2"
    customers = challengers[1].reference
    assert np.array_equal(back.predict_probability(customers), challengers[1].model.predict_probability(customers))


def test_registering_promotes_nobody_and_reads_no_files_of_other_packages(
    registry: Registry, challengers: list[Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr("mlflow.utils.requirements_utils._MODULES_TO_PACKAGES", None)
    monkeypatch.setattr("importlib_metadata.packages_distributions", lambda: read.append("all of them") or {})
    registry.promote("1")
    before = registry.champion_version()
    renamed = replace(challengers[0].model, info=challengers[0].model.info.model_copy(update={"trigger": "third"}))
    model = registry.register(replace(challengers[0], model=renamed), {}, {})
    assert registry.champion_version() == before == "1"
    assert registry.load(model.info.version).info.trigger == "third"
    assert read == []


STRANGER = """
import sys
sys.path = [path for path in sys.path if path.rstrip("/") != sys.argv[3]]
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
import importlib.util
assert importlib.util.find_spec("churn") is None
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/churn/1")
print(*model.predict(pandas.read_parquet(sys.argv[2]))[:, 1].tolist())
"""


def test_an_mlflow_that_does_not_know_this_code_gives_the_same_answers(
    settings: Settings, models: list[Model], challengers: list[Trained], tmp_path: Path
) -> None:
    info = challengers[0].model.info
    customers = challengers[0].reference[info.features].head(20)
    customers.to_parquet(tmp_path / "customers.parquet")
    checkout = str(CHECKOUT)
    command = [sys.executable, "-c", STRANGER, settings.tracking_uri, str(tmp_path / "customers.parquet"), checkout]
    told = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    expected = challengers[0].model.predict_probability(customers)
    assert np.array_equal([float(word) for word in told.stdout.split()], expected)


def test_what_a_campaign_brought_is_one_run_however_often_it_is_logged(settings: Settings, registry: Registry) -> None:
    from mlflow import MlflowClient

    given = ("may", {"saved": 12.0}, {"acceptance": 0.3}, {"campaign.html": "<h1>ü</h1>", "report.json": {"name": "may"}})
    first = registry.log_campaign(*given)
    assert registry.log_campaign(*given) == first
    later = registry.log_campaign("may", {"saved": 13.0}, *given[2:])
    client = MlflowClient(settings.tracking_uri)
    experiment = client.get_experiment_by_name("churn-campaigns")
    runs = {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {first, later}
    assert (runs[first].data.metrics, runs[first].data.params) == ({"saved": 12.0}, {"acceptance": "0.3"})
    assert runs[first].data.tags["campaign"] == runs[first].info.run_name == "may"
    assert {file.path for file in client.list_artifacts(first)} == {"campaign.html", "report.json"}


def test_a_comparison_is_one_run_with_a_run_below_it_for_each_baseline(settings: Settings, registry: Registry) -> None:
    from mlflow import MlflowClient

    scores = {"dummy": {"roc_auc_mean": 0.5}, "ours": {"roc_auc_mean": 0.9}}
    common = registry.log_comparison("a race", scores, {"scores.csv": pd.DataFrame({"fold": [0]})})
    client = MlflowClient(settings.tracking_uri)
    experiment = client.get_experiment_by_name("churn-comparison")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"a race", "dummy", "ours"}
    assert runs["ours"].data.metrics == {"roc_auc_mean": 0.9}
    assert runs["ours"].data.tags["mlflow.parentRunId"] == common == runs["a race"].info.run_id
    assert [file.path for file in client.list_artifacts(common)] == ["scores.csv"]
    # The models that were registered are in an experiment of their own.
    assert registry.versions()
