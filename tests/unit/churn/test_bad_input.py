"""Bad input has a stated behaviour: what the draft, a training and an evaluation say, in one line that names the column."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn.config.params import Params
from churn.contract import Contract, parse_contract
from churn.contract_draft.draft import Draft, draft_contract
from churn.data.dataset import Dataset, read_dataset
from churn.data.doubts import doubts
from churn.data.labelled import Labelled
from churn.errors import ContractError, InputError
from churn.evaluation.report import Evaluation, assess
from churn.inference.compiler import compile_pipeline
from churn.lifecycle.gate import decide
from churn.modeling.model import build_pipeline
from churn.modeling.training import train
from churn.modeling.training_set import assemble

PARAMS = Params.model_validate(
    {"evaluation": {"resamples": 100}, "model": {"form": "plain"}, "tuning": {"folds": 3, "grid": {"logreg__C": [1.0]}}}
)


def customers(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows)
    left = rng.random(rows) < 1 / (1 + np.exp(-x))
    plan = rng.choice(["a", "b", "c"], rows)
    return pd.DataFrame({"Spent": np.round(10 * x + 50, 2), "Plan": plan, "Churn": np.where(left, "Yes", "No")})


def written(folder: Path, frame: pd.DataFrame) -> Path:
    path = folder / "export.csv"
    frame.to_csv(path, index=False)
    return path


def drafted(folder: Path, frame: pd.DataFrame) -> Draft:
    return draft_contract(written(folder, frame))


def by_hand(extra: str = "") -> Contract:
    return parse_contract(
        "name: hand\ntarget: {column: churn, source: Churn, true_level: 'Yes', false_level: 'No'}\ncolumns:\n"
        "  - {name: spent, source: Spent, kind: number}\n"
        f"  - {{name: plan, source: Plan, kind: category, levels: [a, b, c]}}\n{extra}",
        "hand.yaml",
    )


def judged(dataset: Dataset, contract: Contract) -> Evaluation:
    known = Labelled(dataset.features, dataset.labelled, dataset.sensitive)
    return assess(known, np.linspace(0.1, 0.9, len(known)), 0.5, contract, PARAMS)


def why(draft: Draft, source: str) -> str:
    return next(one.why for one in draft.columns if one.column["source"] == source)


def test_ten_thousand_levels_are_ignored_by_the_draft_and_pooled_where_a_contract_has_them(tmp_path: Path) -> None:
    frame = customers(10_000)
    frame["Street"] = [f"s{number}" for number in range(10_000)]
    frame.loc[:4_999, "Street"] = frame.loc[5_000:, "Street"].to_numpy()
    draft = drafted(tmp_path, frame)
    assert "a category of too many levels (5000)" in why(draft, "Street")
    levels = ", ".join(sorted(set(frame["Street"])))
    contract = by_hand(f"  - {{name: street, source: Street, kind: category, levels: [{levels}]}}\n")
    dataset = read_dataset(tmp_path / "export.csv", contract)
    assert doubts(dataset)[0].startswith("street: 10,000 of 10,000 customers are in levels of fewer than 20")
    terms = build_pipeline(1, form="terms", contract=contract).set_params(features__trees=5)
    terms.fit(dataset.features[contract.feature_names], dataset.labelled)
    assert terms["features"].inputs.levels["street"] == [], "no input of a level that hardly anybody has"


def test_a_column_that_equals_the_target(tmp_path: Path) -> None:
    frame = customers()
    frame["Ended"] = np.where(frame["Churn"] == "Yes", "Q", "R")
    assert "it tells the outcome in every row" in why(drafted(tmp_path, frame), "Ended")
    contract = by_hand("  - {name: ended, source: Ended, kind: category, levels: [Q, R]}\n")
    assert doubts(read_dataset(tmp_path / "export.csv", contract))[0].startswith("ended: tells the outcome in every row")
    frame["Left"] = np.where(frame["Churn"] == "Yes", "1", "0")
    with pytest.raises(InputError, match="'Churn', 'Left' may all be the outcome; name it with --target"):
        drafted(tmp_path, frame)


def test_forty_customers_are_trained_on_and_not_promoted(tmp_path: Path) -> None:
    """By chance a split may leave too few: then that is said, with what to do."""
    contract = drafted(tmp_path, customers(40)).contract
    parts = assemble(read_dataset(tmp_path / "export.csv", contract), None, contract, PARAMS)
    trained = train(parts, contract, PARAMS, name="m", trigger="t")
    decision = decide(trained.model, None, parts.fresh, PARAMS, contract, serving=None)
    assert not decision.promote
    assert "not enough evidence" in decision.reason
    with pytest.raises(InputError, match="more customers are needed"):
        assemble(read_dataset(written(tmp_path, customers(40).head(8)), contract), None, contract, PARAMS)


def test_many_columns_take_memory_in_proportion(tmp_path: Path) -> None:
    """A million customers by 200 columns, at the scale of a test: four times the rows take about four times the memory."""
    peaks = []
    wide = [f"c{number}" for number in range(100)]
    for rows in (250, 1_000):
        frame = pd.DataFrame(np.random.default_rng(1).normal(size=(rows, 100)).round(3), columns=wide)
        path = written(tmp_path, pd.concat([customers(rows), frame], axis=1))
        contract = draft_contract(path).contract
        tracemalloc.start()
        dataset = read_dataset(path, contract)
        build_pipeline(1).fit(dataset.features[contract.numeric_features], dataset.labelled)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 4 * peaks[0]
    assert peaks[1] < 12 * 1_000 * 103 * 8, "and no more than some copies of the numbers"


def test_a_file_with_every_column_empty_is_refused(tmp_path: Path) -> None:
    frame = customers()
    frame[["Spent", "Plan"]] = ""
    with pytest.raises(InputError, match="no column is left to learn from"):
        drafted(tmp_path, frame)
    nullable = by_hand()
    with pytest.raises(ContractError, match=r"plan|spent"):
        read_dataset(tmp_path / "export.csv", nullable)
    written(tmp_path, customers()[["Churn"]])
    with pytest.raises(ContractError, match=r"Spent|spent"):
        read_dataset(tmp_path / "export.csv", nullable)


def test_a_sensitive_column_with_one_level_has_no_groups(tmp_path: Path) -> None:
    frame = customers()
    frame["Gender"] = "F"
    assert "it is the same for everybody" in why(drafted(tmp_path, frame), "Gender")
    contract = by_hand("  - {name: gender, source: Gender, kind: category, role: sensitive}\n")
    found = judged(read_dataset(tmp_path / "export.csv", contract), contract)
    assert "gender: every customer is 'F', so there are no groups to compare" in found.notes
    assert "gender" not in set(found.slices["column"])


def test_a_file_with_one_class_only_is_refused(tmp_path: Path) -> None:
    frame = customers()
    frame["Churn"] = "No"
    with pytest.raises(InputError, match=r"'Churn' has one level only \('No'\), and both outcomes are needed to learn"):
        drafted(tmp_path, frame)
    dataset = read_dataset(tmp_path / "export.csv", by_hand())
    with pytest.raises(InputError, match="every customer stayed; both are needed to learn"):
        assemble(dataset, None, by_hand(), PARAMS)
    found = judged(dataset, by_hand())
    assert found.report()["metrics"]["roc_auc"]["value"] is None, "it is evaluated, and what is not defined is not known"
    assert found.report()["metrics"]["brier"]["value"] > 0


def test_the_largest_float_in_place_of_a_value_is_a_missing_one(tmp_path: Path) -> None:
    frame = customers()
    used = [repr(number) for number in np.random.default_rng(1).gamma(2, 20, len(frame)).round(2).tolist()]
    frame["Used"] = ["1.7976931348623157e+308" if row % 50 == 0 else text for row, text in enumerate(used)]
    draft = drafted(tmp_path, frame)
    assert "8 cells hold a text and no number, and count as missing: '1.7976931348623157e+308' (8)" in why(draft, "Used")
    read = read_dataset(tmp_path / "export.csv", draft.contract).features["used"]
    assert np.flatnonzero(read.isna()).tolist() == list(range(0, len(frame), 50))


def test_a_column_of_numbers_that_are_too_large_is_ignored(tmp_path: Path) -> None:
    frame = customers()
    frame["Huge"] = 1e300 * np.random.default_rng(1).random(len(frame))
    assert why(drafted(tmp_path, frame), "Huge") == "ignored: numbers beyond 1e+100, which cannot be weighed and added up"


def test_ids_of_many_digits_do_not_keep_a_model_from_service(tmp_path: Path) -> None:
    """A weight times such a number, plus an intercept, is rounded: served, the model would not say what its pipeline says."""
    frame = customers(600)
    frame["Account"] = 2**60 + 128 * np.random.default_rng(1).permutation(len(frame))
    contract = by_hand("  - {name: account, source: Account, kind: number}\n")
    dataset = read_dataset(written(tmp_path, frame), contract)
    pipeline = build_pipeline(1, form="terms", contract=contract).set_params(features__trees=5, features__strictness=0.0)
    x = dataset.features[contract.feature_names]
    own = pipeline.fit(x, dataset.labelled).predict_proba(x)[:, 1]
    compiled = compile_pipeline(pipeline, contract.feature_names, contract)
    assert compiled is not None
    served = [compiled.probability(row) for row in x.to_numpy(dtype=object).tolist()]
    assert np.allclose(served, own, rtol=0, atol=1e-9)
