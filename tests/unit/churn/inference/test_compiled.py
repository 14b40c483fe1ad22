from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from churn.contract import Contract, load_contract
from churn.customers.columns import CustomerColumns
from churn.inference.compiled import CompiledModel, expit
from churn.inference.compiler import compile_pipeline
from churn.inference.terms import Condition, Ramp, WeighedRule
from churn.inference.vectorized import logits, probabilities
from churn.modeling.features import LinearTerms
from churn.modeling.model import build_pipeline
from churn.modeling.search.mean_of_models import MeanOfModels, as_one
from churn.simulation.simulate import simulate
from tests.checkout import CHECKOUT

CONTRACT = load_contract()
NOTHING: Any = None


def fitted(form: Any = "terms", rows: int = 1_500) -> Pipeline:
    data = simulate(CONTRACT, rows, seed=3)
    columns = CONTRACT.numeric_features if form == "plain" else CONTRACT.feature_names
    pipeline = build_pipeline(3, form="plain" if form == "plain" else "terms", contract=CONTRACT)
    if form == "boosted":
        pipeline.set_params(features__trees=30, features__strictness=0.4, features__boosted=20, features__leaves=8)
    if form in ("terms", "gaps"):
        pipeline.set_params(features__strictness=0.2)  # so that there are terms of every kind
    if form == "gaps":
        # Who leaves has often neither said where they live, nor been counted: both have a term.
        left, rng = data.labelled.to_numpy() == 1, np.random.default_rng(6)
        for name in ("customer_service_calls", "area_code"):
            lacking = rng.random(rows) < np.where(left, 0.6, 0.1)
            data.features[name] = data.features[name].where(~lacking, NOTHING)
        data.features["customer_service_calls"] = data.features["customer_service_calls"].astype(np.float64)
    if form == "mean":
        beside = {"features__boosted": 10, "features__leaves": 4}
        lines = {"features__trees": 0, "features__strictness": 0.1, **beside}
        members = [
            {"features__trees": 30, "features__strictness": 0.4, **beside},
            lines,
            {"features__trees": 30, "logreg__C": 0.1},
        ]
        pipeline = MeanOfModels(pipeline.steps, members, [0.5, 0.25, 0.25])
        return as_one(pipeline.fit(data.features[columns], data.outcome))
    return pipeline.fit(data.features[columns], data.outcome)


@pytest.fixture(scope="module")
def terms() -> Pipeline:
    return fitted()


def asked(rows: int = 2_000) -> pd.DataFrame:
    """Customers as they come, with a fifth of all values missing, and with every bound and every threshold's neighbourhood."""
    rng = np.random.default_rng(5)
    frame = simulate(CONTRACT, rows, seed=4).features
    for column in CONTRACT.features:
        name = column.name
        if column.kind in ("number", "integer"):
            edges = [column.minimum, column.maximum if column.maximum is not None else 1e12, 0.0]
            at = rng.choice(rows, min(60, rows), replace=False)
            frame.loc[at, name] = rng.choice([edge for edge in edges if edge is not None], len(at))
        missing = rng.random(rows) < 0.2
        frame[name] = frame[name].mask(missing) if column.is_numeric else frame[name].where(~missing, NOTHING)
    return frame


def columns_of(frame: pd.DataFrame, contract: Contract = CONTRACT) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in contract.features:
        if column.is_numeric:
            values[column.name] = frame[column.name].to_numpy(dtype=np.float64)
        else:
            place = {level: number for number, level in enumerate(column.levels)}
            values[column.name] = np.array([place.get(level, -1) for level in frame[column.name]], dtype=np.int32)
    return values


def rows_of(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[list[Any]]:
    known = frame[list(columns)].astype(object).where(frame[list(columns)].notna(), NOTHING)
    return [list(row) for row in known.itertuples(index=False)]


def compiled(pipeline: Pipeline, columns: list[str]) -> CompiledModel:
    model = compile_pipeline(pipeline, columns, CONTRACT)
    assert model is not None
    return model


@pytest.mark.parametrize("many", [0, 128, 10_000])
def test_rules_are_added_up_alike_one_by_one_and_by_the_byte(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("churn.inference.compiled.MANY_RULES", many)
    rng = np.random.default_rng(many)
    rules = tuple(
        WeighedRule((Condition(0, float(low), float(low) + 3),), float(weight))
        for low, weight in zip(rng.uniform(-4, 4, 203), rng.normal(size=203), strict=True)
    )
    bare: dict[str, Any] = {"sums": {}, "levels": {}, "relations": {}, "category_levels": {}, "ramps": ()}
    model = CompiledModel(columns=("x",), numbers=("x",), typical={"x": 0.0}, rules=rules, intercept=0.25, **bare)
    asked = np.linspace(-6, 8, 60)
    expected = [0.25 + sum(r.weight for r in rules if r.conditions[0].low < x <= r.conditions[0].high) for x in asked]
    assert [model.logit([x]) for x in asked] == pytest.approx(expected, abs=1e-12)
    assert logits(model, {"x": asked}) == pytest.approx(expected, abs=1e-12)


def test_the_terms_that_are_compared_are_of_every_kind(terms: Pipeline) -> None:
    model = compiled(terms, CONTRACT.feature_names)
    used = {model.input_columns[c.input] for rule in model.rules for c in rule.conditions}
    assert model.ramps
    assert any(len(columns) > 1 for columns in used), "no rule reads a sum"
    assert model.relations


def test_real_thresholds_are_met_from_both_sides(terms: Pipeline) -> None:
    model = compiled(terms, CONTRACT.feature_names)
    at_a_number = [c for rule in model.rules for c in rule.conditions if c.input < len(model.numbers)]
    rows = []
    base = asked(1).iloc[0]
    for condition in at_a_number:
        for bound in (condition.low, condition.high):
            if np.isfinite(bound):
                for value in (np.nextafter(bound, -np.inf), bound, np.nextafter(bound, np.inf)):
                    rows.append({**base, model.numbers[condition.input]: value})
    frame = pd.DataFrame(rows)
    own = terms.predict_proba(frame[CONTRACT.feature_names])[:, 1]
    assert len(frame) > 5
    assert np.abs(probabilities(model, columns_of(frame)) - own).max() < 1e-12


def test_a_document_whose_keys_were_sorted_is_the_same_model(terms: Pipeline) -> None:
    """As that of a part of a file is: inputs are counted in the order of sums and levels."""
    model = compiled(terms, CONTRACT.feature_names)
    names = model.input_names
    wanted = ("state = OH", "area_code = 415")
    ramps = tuple(Ramp(names.index(name), 0.0, 1.0, float(weight), 0.0) for weight, name in enumerate(wanted, start=1))
    model = replace(model, ramps=(*model.ramps, *ramps))
    assert list(model.levels) != sorted(model.levels)
    read = CompiledModel.from_document(json.loads(json.dumps(model.to_document(), sort_keys=True)))
    columns = columns_of(asked(200))
    assert logits(read, columns).tolist() == logits(model, columns).tolist()


def test_blocks_of_rows_are_put_together_in_order(terms: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    model, columns = compiled(terms, CONTRACT.feature_names), columns_of(asked(100))
    whole = logits(model, columns)
    monkeypatch.setattr("churn.inference.vectorized.BLOCK", 7)
    assert np.array_equal(logits(model, columns), whole)


def test_a_document_makes_the_same_model(terms: Pipeline) -> None:
    model = compiled(terms, CONTRACT.feature_names)
    again = CompiledModel.from_document(json.loads(json.dumps(model.to_document(), allow_nan=False)))
    assert again == model


@pytest.mark.parametrize("damage", ["ramps", "conditions"])
def test_a_document_that_reads_what_is_not_there_is_refused(terms: Pipeline, damage: str) -> None:
    document = compiled(terms, CONTRACT.feature_names).to_document()
    document[damage] = [[999, *entry[1:]] for entry in document[damage]]
    with pytest.raises(ValueError, match="does not exist"):
        CompiledModel.from_document(document)


def test_typical_levels_count_where_a_category_is_missing() -> None:
    model = CompiledModel(
        columns=("plan",),
        numbers=(),
        sums={},
        levels={"plan": ("basic",)},
        relations={},
        typical={"plan": "basic"},
        category_levels={"plan": ("family", "basic")},
        ramps=(),
        rules=(WeighedRule((Condition(0, 0.5, np.inf),), 2.0),),
        intercept=-1.0,
    )
    assert [model.logit([value]) for value in ("family", "basic", None)] == [-1.0, 1.0, 1.0]
    assert logits(model, {"plan": np.array([0, 1, -1])}).tolist() == [-1.0, 1.0, 1.0]


def test_what_is_missing_follows_from_another_number_before_it_is_typical() -> None:
    model = CompiledModel(
        columns=("minutes", "charge"),
        numbers=("minutes", "charge"),
        sums={"both": ("minutes", "charge")},
        levels={},
        relations={"charge": ("minutes", 0.5)},
        typical={"minutes": 10.0, "charge": 7.0},
        category_levels={},
        ramps=(Ramp(1, 0.0, 100.0, 1.0, 3.0), Ramp(2, -np.inf, np.inf, 10.0, 0.0)),
        rules=(),
        intercept=0.0,
    )
    rows = [(8.0, 1.0), (8.0, None), (None, 1.0), (None, None)]
    # Nothing known: the ramp takes what it is imputed with, the sum what is typical.
    wanted = [1.0 + 90.0, 4.0 + 120.0, 1.0 + 110.0, 3.0 + 170.0]
    assert [model.logit(row) for row in rows] == wanted
    many = {name: np.array([np.nan if row[n] is None else row[n] for row in rows]) for n, name in enumerate(model.columns)}
    assert logits(model, many).tolist() == wanted


def test_logits_beyond_all_numbers_are_still_probabilities() -> None:
    assert [expit(z) for z in (-np.inf, np.inf, -745.2, 745.2)] == [0.0, 1.0, expit(-745.2), 1.0]
    model = compiled(fitted("plain", 300), CONTRACT.numeric_features)
    far = {name: np.array([-1e300, 1e300]) for name in model.columns}
    assert set(probabilities(model, far).tolist()) <= {0.0, 1.0}


def test_nothing_of_sklearn_or_pandas_is_loaded_to_answer() -> None:
    import subprocess
    import sys

    code = (
        "import sys, churn.inference.compiled, churn.customers.columns; sys.exit(bool({'sklearn', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False).returncode == 0


def test_customers_are_spelled_for_the_log_as_they_were_sent() -> None:
    frame = asked(50)
    customers = CustomerColumns(columns_of(frame))
    texts = [json.loads(text) for text in customers.feature_texts(CONTRACT)]
    assert len(customers) == len(texts) == 50
    assert list(texts[0]) == CONTRACT.feature_names
    assert {type(text["international_plan"]) for text in texts} == {bool, type(None)}
    for name in CONTRACT.feature_names:
        for text, value in zip(texts, frame[name], strict=True):
            assert (text[name] is None) if pd.isna(value) else (text[name] == value)
    pd.testing.assert_frame_equal(customers.frame(CONTRACT), frame.reset_index(drop=True)[CONTRACT.feature_names])


def test_linear_terms_can_be_subclassed_but_then_not_compiled(terms: Pipeline) -> None:
    class Own(LinearTerms):
        pass

    own = fitted("terms", 300)
    own["features"].__class__ = Own
    assert compile_pipeline(own, CONTRACT.feature_names, CONTRACT) is None
