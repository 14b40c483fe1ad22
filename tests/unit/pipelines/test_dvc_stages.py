"""The stages in one process, on invented customers and a quick search: which files they leave, and what is in them.

That two clean checkouts give the same bytes: tests/integration/test_dvc.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from churn.clock import now
from churn.config.params import Params, load_params
from churn.contract import Contract
from churn.data.dataset import Dataset, read_dataset
from churn.evaluation.report import assess
from churn.modeling.customer_keys import content_bytes
from churn.modeling.model import Model, ModelInfo
from churn.modeling.training import Trained
from churn.modeling.training_set import assemble
from churn.registry.trusted_types import TRUSTED_TYPES
from churn.simulation.simulate import simulate, write_csv
from pipelines import dvc_stages
from pipelines.dvc_stages import CUSTOMER, FOLD, OUTCOME
from tests.checkout import CHECKOUT
from tests.credit_like import CREDIT, credit_like
from tests.skops_io import skops_io

QUICK = (("folds: 5", "folds: 2"), ("form: terms\n", "form: plain\n"), ("resamples: 500\n", "resamples: 100\n"))


@pytest.fixture(scope="module")
def customers(contract: Contract) -> Dataset:
    return simulate(contract, 600, 4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, contract: Contract, customers: Dataset) -> Iterator[Any]:
    """The stages, run one after the other in a folder of their own; with what `train` gave."""
    folder = tmp_path_factory.mktemp("stages")
    params = (CHECKOUT / "params.yaml").read_text()
    for slow, fast in QUICK:
        assert slow in params
        params = params.replace(slow, fast)
    (folder / "params.yaml").write_text(params)
    write_csv(customers, contract, folder / "customers.csv")
    given: list[Trained] = []
    real_fit = dvc_stages.fit

    def noted(*arguments: Any, **named: Any) -> Trained:
        given.append(real_fit(*arguments, **named))
        return given[-1]

    before = Path.cwd()
    with mock.patch.dict(os.environ), pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CHURN_")]:
            del os.environ[name]
        os.environ |= {"CHURN_DATA": "customers.csv", "CHURN_PARAMS": "params.yaml", "CHURN_MODEL_NAME": "named"}
        patch.setattr(dvc_stages, "fit", noted)
        os.chdir(folder)
        try:
            dvc_stages.split()
            dvc_stages.train()
            dvc_stages.evaluate()
            yield SimpleNamespace(folder=folder / "build", trained=given[0], params=load_params(Path("params.yaml")))
        finally:
            os.chdir(before)


def held(run: Any) -> tuple[pd.DataFrame, pd.Series[Any]]:
    frame = pd.read_parquet(run.folder / "split" / "holdout.parquet")
    return frame.drop(columns=[OUTCOME, CUSTOMER, FOLD]), frame[OUTCOME]


def document(run: Any, name: str) -> Any:
    return json.loads((run.folder / name).read_text())


def test_every_customer_is_in_one_part_with_the_outcome(run: Any, contract: Contract, customers: Dataset) -> None:
    parts = [pd.read_parquet(run.folder / "split" / f"{name}.parquet") for name in ("train", "holdout")]
    for part in parts:
        assert list(part.columns) == [*contract.feature_names, OUTCOME, CUSTOMER, FOLD]
        assert list(part.index) == list(range(len(part)))
    assert sum(map(len, parts)) == len(customers)
    assert len(parts[1]) == pytest.approx(run.params.split.reserved * len(customers), abs=45)
    assert sum(part[OUTCOME].sum() for part in parts) == customers.labelled.sum()


def test_the_stages_hold_out_whom_the_flow_reserves_and_fold_as_it_does(run: Any, contract: Contract, customers: Dataset) -> None:
    """Sorted anew, and beside traffic: none of the stages' holdout is in the training of the flow, nor the other way round."""
    order = np.random.default_rng(1).permutation(len(customers))
    file = replace(
        customers,
        features=customers.features.iloc[order].reset_index(drop=True),
        outcome=customers.labelled.iloc[order].reset_index(drop=True),
    )
    traffic = simulate(contract, 300, 5)
    asked = traffic.features.assign(
        prediction_id="p", customer_id=None, churned=traffic.labelled.astype(float), requested_at=now()
    )
    flow = assemble(file, pd.concat([asked, asked]), contract, run.params)
    train, holdout = (pd.read_parquet(run.folder / "split" / f"{name}.parquet") for name in ("train", "holdout"))
    names = contract.feature_names
    learned, judging = (set(content_bytes(part.features)) for part in (flow.train, flow.holdout))
    assert set(content_bytes(holdout[names])) == judging
    assert set(content_bytes(train[names])) < learned
    assert not judging & learned
    assert run.trained.model.info.split_rule == flow.rule
    assert flow.train.fold is not None
    places = dict(zip(content_bytes(flow.train.features), flow.train.fold, strict=True))
    assert [places[content] for content in content_bytes(train[names])] == train[FOLD].tolist()


def test_the_model_is_the_one_that_was_fitted_and_is_described(run: Any) -> None:
    trained = run.trained
    features, _ = held(run)
    pipeline = skops_io.load(run.folder / "model" / "pipeline.skops", trusted=TRUSTED_TYPES)
    loaded = Model(pipeline, trained.model.info)
    np.testing.assert_array_equal(loaded.predict_probability(features), trained.model.predict_probability(features))
    evaluated = skops_io.load(run.folder / "model" / "evaluated.skops", trusted=TRUSTED_TYPES)
    before = trained.model.judged.predict_probability(features)
    np.testing.assert_array_equal(Model(evaluated, trained.model.info).predict_probability(features), before)
    assert not np.array_equal(before, trained.model.predict_probability(features))
    info = document(run, "model/model.json")
    assert (info["name"], info["trigger"], info["data_source"]) == ("named", "dvc", "customers.csv")
    assert info["threshold"] == trained.model.info.threshold
    assert info["cv_score"] == round(trained.tuned.score, 6)
    assert info.get("simulated", False) is False


def test_the_model_file_says_nothing_that_differs_from_run_to_run(run: Any) -> None:
    assert not {"trained_at", "git_commit", "version", "run_id", "metrics"} & document(run, "model/model.json").keys()
    assert (run.folder / "model" / "model.json").read_text().endswith("}\n")


def test_the_search_is_a_table_without_row_numbers(run: Any) -> None:
    written = pd.read_csv(run.folder / "model" / "tuning.csv")
    expected = run.trained.tuned.candidates
    assert list(written.columns) == list(expected.columns)
    pd.testing.assert_frame_equal(written, expected.round(6).reset_index(drop=True), check_dtype=False)


def test_the_metrics_are_those_of_the_holdout_rounded(run: Any, contract: Contract) -> None:
    features, outcome = held(run)
    model = run.trained.model.judged
    known = dvc_stages.Labelled(features, outcome)
    found = assess(known, model.predict_probability(features), model.info.threshold, contract, run.params)
    metrics = document(run, "metrics.json")
    assert metrics["roc_auc"] == round(found.card.roc_auc, 6)
    assert metrics["cv_score"] == round(run.trained.tuned.score, 6)
    scorecard = document(run, "scorecard.json")
    assert set(scorecard) == {"confidence", "currency", "metrics"}
    # The same figures in both files, and every figure in the second.
    assert {name: scorecard["metrics"][name]["value"] for name in metrics if name != "cv_score"} == {
        name: value for name, value in metrics.items() if name != "cv_score"
    }
    assert set(scorecard["metrics"]) == set(found.card.report())
    low, high = found.intervals["roc_auc"]
    assert scorecard["metrics"]["roc_auc"] == {"value": metrics["roc_auc"], "low": round(low, 6), "high": round(high, 6)}
    assert set(document(run, "slices.json")) == {"confidence", "slices", "gaps", "notes"}
    assert document(run, "slices.json")["confidence"] == found.report()["confidence"]
    assert (run.folder / "metrics.json").read_text().startswith('{\n  "')
    for name, curve in found.curves.items():
        written = pd.read_csv(run.folder / "plots" / f"{name}.csv")
        assert list(written.columns) == list(curve.columns)
        assert len(written) == len(curve)
        texts = (run.folder / "plots" / f"{name}.csv").read_text().replace("\n", ",").split(",")
        assert max(len(text.partition(".")[2]) for text in texts if "e" not in text) <= 6


def test_the_pictures_say_nothing_of_the_program_that_drew_them(run: Any) -> None:
    pictures = sorted((run.folder / "plots").glob("*.png"))
    assert [picture.name for picture in pictures] == ["business.png", "quality.png", "slices.png"]
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert b"Software" not in picture.read_bytes()


def test_numbers_are_rounded_wherever_they_are_and_nothing_else_is() -> None:
    given = {"a": 0.123456789, "b": [1.00000049, {"c": (n := 12345678)}], "d": "0.123456789", "e": None, "f": True}
    assert dvc_stages._rounded(given) == {"a": 0.123457, "b": [1.0, {"c": n}], "d": "0.123456789", "e": None, "f": True}


def test_a_metric_that_is_no_number_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        dvc_stages._dump(tmp_path / "x.json", {"a": float("nan")})


def test_a_folder_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert dvc_stages._folder("a") == dvc_stages._folder("a") == Path("build/a")
    assert (tmp_path / "build" / "a").is_dir()


def test_each_stage_is_a_command() -> None:
    assert [command.callback for command in dvc_stages.app.registered_commands] == [
        dvc_stages.split,
        dvc_stages.train,
        dvc_stages.evaluate,
    ]
    assert dvc_stages.app.pretty_exceptions_enable is False


def test_the_information_is_enough_to_make_the_model_again(run: Any) -> None:
    assert ModelInfo.model_validate(document(run, "model/model.json") | {"trained_at": 0}).threshold > 0


def test_what_is_sensitive_stays_with_its_customers_and_is_no_feature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credit_like(400, 1).to_csv(tmp_path / "credit.csv", index=False)
    monkeypatch.setattr(dvc_stages, "load_contract", lambda _: CREDIT)
    for name, value in {"CHURN_DATA": "credit.csv", "CHURN_PARAMS": "params.yaml"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    dvc_stages.split()
    parts = assemble(read_dataset(tmp_path / "credit.csv", CREDIT), None, CREDIT, Params())
    for name, part in (("train", parts.train), ("holdout", parts.holdout)):
        read = dvc_stages._read(name)
        pd.testing.assert_frame_equal(read.features, part.features)
        assert read.sensitive is not None
        assert part.sensitive is not None
        pd.testing.assert_frame_equal(read.sensitive, part.sensitive)
