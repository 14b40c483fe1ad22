from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import ParameterGrid

from churn.config.params import Distribution, Params, load_params
from churn.errors import InputError
from churn.modeling.model import build_pipeline
from tests.checkout import CHECKOUT


def written(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def test_params_yaml_says_the_defaults() -> None:
    assert load_params(CHECKOUT / "params.yaml") == Params()


def test_a_file_that_is_not_there_means_the_defaults(tmp_path: Path) -> None:
    assert load_params(tmp_path / "params.yaml") == Params()


def test_the_grid_of_the_plain_pipeline_is_the_recipe_s() -> None:
    [grid] = Params().tuning.grid_for("plain")
    assert grid == {"logreg__solver": ["newton-cg", "saga", "lbfgs"], "logreg__C": np.linspace(0.001, 1.0, 10).tolist()}
    assert len(ParameterGrid(grid)) == 30
    assert set(grid) <= set(build_pipeline(1).get_params())


def test_the_grid_of_the_terms_is_one_the_pipeline_knows() -> None:
    grids = Params().tuning.grid_for("terms")
    assert {name for grid in grids for name in grid} <= set(build_pipeline(1, form="terms").get_params())
    assert [0] in [grid["features__trees"] for grid in grids]


def test_a_grid_in_the_file_wins(tmp_path: Path) -> None:
    params = load_params(written(tmp_path, "tuning: {grid: [{logreg__C: [1]}, {logreg__C: [2]}]}"))
    assert params.tuning.grid_for("plain") == params.tuning.grid_for("terms") == [{"logreg__C": [1]}, {"logreg__C": [2]}]


def test_another_form_has_its_own_grid_and_the_same_one_keeps_what_was_said(tmp_path: Path) -> None:
    params = load_params(written(tmp_path, "model: {pretraining_rows: 7}\ntuning: {folds: 3, grid: [{logreg__C: [1]}]}"))
    deep = params.with_form("deep")
    assert (deep.model.form, deep.model.pretraining_rows, deep.tuning.folds) == ("deep", 7, 3)
    grids = deep.tuning.grid_for("deep")
    assert {name for grid in grids for name in grid} <= set(build_pipeline(1, form="deep").get_params())
    assert params.with_form(None) is params.with_form("terms") is params
    with pytest.raises(InputError, match="form: 'wide' is none of terms, plain, deep"):
        params.with_form("wide")


def test_a_random_search_reads_distributions(tmp_path: Path) -> None:
    path = written(tmp_path, "tuning: {search: random, grid: {logreg__C: {loguniform: [0.1, 10]}, a: {uniform: [0, 1]}}}")
    assert load_params(path).tuning.grid == [
        {"logreg__C": Distribution(law="loguniform", low=0.1, high=10), "a": Distribution(law="uniform", low=0, high=1)}
    ]


def test_linspace_is_spelled_out_and_lists_are_taken_as_they_are(tmp_path: Path) -> None:
    path = written(tmp_path, "tuning: {grid: {logreg__C: {linspace: [0, 1, 3]}, logreg__solver: [saga]}}")
    assert load_params(path).tuning.grid == [{"logreg__C": [0.0, 0.5, 1.0], "logreg__solver": ["saga"]}]


def test_what_is_not_said_keeps_its_default(tmp_path: Path) -> None:
    params = load_params(written(tmp_path, "split: {reserved: 0.4}"))
    assert params.split.reserved == 0.4
    assert params.tuning == Params().tuning


@pytest.mark.parametrize(("text", "budget"), [("0.2", 0.2), ("200", 200), ("1", 1)])
def test_a_budget_is_a_share_or_a_count(tmp_path: Path, text: str, budget: float) -> None:
    said = load_params(written(tmp_path, f"threshold: {{method: top_k, budget: {text}}}")).threshold.budget
    assert (said, type(said)) == (budget, type(budget))


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert load_params(written(tmp_path, "# nothing yet\n")) == Params()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sed: 3", "sed"),
        ("split: {reserved: 0}", "split.reserved"),
        ("split: {reserved: 0.95}", "split.reserved"),
        ('split: {key: ""}', "split.key"),
        ("tuning: {folds: 1}", "tuning.folds"),
        ("tuning: {scoring: accuracy}", "tuning.scoring"),
        ("tuning: {grid: {logreg__C: []}}", r"tuning.grid.0.logreg__C"),
        ("tuning: {grid: []}", "tuning"),
        ("tuning: {grid: {logreg__C: {loguniform: [0.1, 1]}}}", "distributions"),
        ("tuning: {search: random, grid: {logreg__C: {loguniform: [0, 1]}}}", "0 < low < high"),
        ("tuning: {search: random, grid: {logreg__C: {uniform: [2, 1]}}}", "low < high"),
        ("tuning: {search: luck}", "tuning.search"),
        ("model: {form: wide}", "model.form"),
        ("model: {form: deep, pretraining_rows: -1}", "model.pretraining_rows"),
        ("tuning: {grid: {logreg__C: {linspace: [0, 1, -3]}}}", "tuning.grid"),
        ("threshold: {method: fixed, value: 1}", "threshold.value"),
        ("threshold: {method: accuracy}", "threshold.method"),
        ("threshold: {budget: 1.5}", "threshold.budget: .*a count a whole number"),
        ("threshold: {budget: 0}", "threshold.budget"),
        ("profit: {acceptance: 1.1}", "profit.acceptance"),
        ("profit: {customer_value: 5, cost_of_offer: 5}", "profit: .*customer_value must be above cost_of_offer"),
        ("evaluation: {confidence: 1}", "evaluation.confidence"),
        ("evaluation: {slices: {bands: {tenure: [3, 2]}}}", "evaluation.slices.bands: .*'tenure' must rise"),
        ("gate: {confidence: 0.5}", "gate.confidence"),
        ("seed: -1", "seed"),
    ],
)
def test_a_value_that_breaks_its_rule_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=named) as caught:
        load_params(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00binary", b"a: [1", b"- a list", b"tuning: {grid: {logreg__C: {linspace: 3}}}", b"tuning: {grid: 3}"],
)
def test_a_file_that_holds_no_parameters_is_an_input_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_params(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("gaps", ["[recall, recall]", "[recall, false_positive_rate, recall]"])
def test_a_gap_is_named_once(tmp_path: Path, gaps: str) -> None:
    with pytest.raises(InputError, match=r"fairness\.gaps: .*name each gap once"):
        load_params(written(tmp_path, f"fairness: {{gaps: {gaps}}}"))
