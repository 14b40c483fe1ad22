from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from churn.contract import Contract
from churn.explain import interpolation, shapley
from churn.explain.attribution import Attribution, Attributor
from churn.inference.compiled import CompiledModel
from churn.inference.compiler import compile_pipeline
from churn.inference.terms import Condition, Ramp, WeighedRule
from churn.modeling.model import build_pipeline
from churn.simulation.simulate import simulate
from tests.unit.churn.inference.test_compiled import fitted

Values = list[Any]


@pytest.fixture(scope="module")
def customers(contract: Contract) -> pd.DataFrame:
    """The second half has holes."""
    rng = np.random.default_rng(1)
    frame = simulate(contract, 60, seed=8).features
    for name in frame:
        holes = (rng.random(60) < 0.3) & (np.arange(60) >= 30)
        frame.loc[holes, name] = np.nan if contract[name].is_numeric else None
    return frame


@pytest.fixture(scope="module")
def terms(contract: Contract) -> Pipeline:
    known = simulate(contract, 1_200, seed=4)
    pipeline = build_pipeline(1, form="terms", contract=contract)
    pipeline.set_params(features__strictness=0.2)  # so that there are terms of every kind
    return pipeline.fit(known.features, known.labelled)


@pytest.fixture(scope="module")
def gaps() -> Pipeline:
    """That a number or a category is missing is a term."""
    return fitted("gaps")


@pytest.fixture(scope="module")
def boosted(contract: Contract) -> Pipeline:
    """A leaf of a boosted tree is a rule of several columns."""
    known = simulate(contract, 1_200, seed=4)
    chosen = {"trees": 0, "knots": 3, "strictness": 0.1, "boosted": 10, "leaves": 6}
    pipeline = build_pipeline(1, form="terms", contract=contract).set_params(**{f"features__{k}": v for k, v in chosen.items()})
    return pipeline.fit(known.features, known.labelled)


@pytest.fixture(scope="module")
def plain(contract: Contract) -> Pipeline:
    known = simulate(contract, 500, seed=4)
    return build_pipeline(1).fit(known.features[contract.numeric_features], known.labelled)


def compiled(pipeline: Pipeline, contract: Contract) -> CompiledModel:
    columns = contract.feature_names if "features" in pipeline.named_steps else contract.numeric_features
    model = compile_pipeline(pipeline, columns, contract)
    assert model is not None
    return model


def rows_of(frame: pd.DataFrame, model: CompiledModel) -> list[Values]:
    rows = frame[list(model.columns)].astype(object).itertuples(index=False)
    return [[None if pd.isna(value) else value for value in row] for row in rows]


def by_all_mixtures(model: CompiledModel, values: Values) -> tuple[float, list[float]]:
    """The definition itself: term by term, every column's gain in every set of the term's columns, by the model's own logit."""
    place = {name: at for at, name in enumerate(model.columns)}
    typical = [model.typical[name] for name in model.columns]
    known, followed = list(values), []
    for name, (other, factor) in model.relations.items():
        if values[place[name]] is None and values[place[other]] is not None:
            known[place[name]] = values[place[other]] * factor
            followed.append((place[name], place[other]))
    shares = [0.0] * len(values)
    bare = replace(model, intercept=0.0, relations={})
    alone = [replace(bare, ramps=(ramp,), rules=()) for ramp in model.ramps]
    alone += [replace(bare, ramps=(), rules=(rule,)) for rule in model.rules]
    for term in alone:
        inputs = [*(r.input for r in term.ramps), *(c.input for rule in term.rules for c in rule.conditions)]
        players = sorted({place[name] for number in inputs for name in model.input_columns[number]})
        worth = {}
        for size in range(len(players) + 1):
            for inside in combinations(players, size):
                mixture = [known[at] if at in inside else typical[at] for at in range(len(values))]
                worth[inside] = term.logit(mixture)
        for player in players:
            for inside, before in worth.items():
                if player not in inside:
                    likely = math.factorial(len(inside)) * math.factorial(len(players) - len(inside) - 1)
                    gained = worth[tuple(sorted({*inside, player}))] - before
                    shares[player] += gained * likely / math.factorial(len(players))
    for name, origin in followed:
        shares[origin] += shares[name]
        shares[name] = 0.0
    return replace(model, relations={}).logit(typical), shares


def told(model: CompiledModel, values: Values) -> Attribution:
    return Attributor(model).attribute(values)


@pytest.mark.parametrize("form", ["terms", "gaps", "boosted", "plain"])
def test_contributions_are_what_the_definition_gives(
    form: str, request: pytest.FixtureRequest, contract: Contract, customers: pd.DataFrame
) -> None:
    model = compiled(request.getfixturevalue(form), contract)
    attributor = Attributor(model)
    for values in rows_of(customers[::6], model):
        base, shares = by_all_mixtures(model, values)
        found = attributor.attribute(values)
        assert found.base == pytest.approx(base, abs=1e-11)
        assert found.contributions == pytest.approx(shares, abs=1e-11)


@pytest.mark.parametrize("form", ["terms", "boosted", "plain"])
def test_base_and_contributions_are_the_logit(
    form: str, request: pytest.FixtureRequest, contract: Contract, customers: pd.DataFrame
) -> None:
    pipeline = request.getfixturevalue(form)
    model = compiled(pipeline, contract)
    attributor = Attributor(model)
    logits = pipeline.decision_function(customers[list(model.columns)])
    for values, logit in zip(rows_of(customers, model), logits, strict=True):
        found = attributor.attribute(values)
        assert found.base + sum(found.contributions) == pytest.approx(logit, abs=1e-11)
        assert sum(found.term_gains.values()) == pytest.approx(sum(found.contributions), abs=1e-11)


@pytest.mark.parametrize("form", ["terms", "boosted", "plain"])
def test_the_typical_customer_has_nothing_to_explain(form: str, request: pytest.FixtureRequest, contract: Contract) -> None:
    model = compiled(request.getfixturevalue(form), contract)
    found = told(model, [model.typical[name] for name in model.columns])
    assert not any(found.contributions)
    assert not found.term_gains


def test_what_is_missing_and_follows_from_nothing_contributes_nothing(
    terms: Pipeline, contract: Contract, customers: pd.DataFrame
) -> None:
    model = compiled(terms, contract)
    for values in rows_of(customers[30:], model):
        found = told(model, values)
        for value, contribution in zip(values, found.contributions, strict=True):
            assert value is not None or contribution == pytest.approx(0, abs=1e-12)


def test_what_follows_from_another_column_is_that_column_s_doing(terms: Pipeline, contract: Contract) -> None:
    model = compiled(terms, contract)
    charge, minutes = model.columns.index("total_day_charge"), model.columns.index("total_day_minutes")
    whole = max(rows_of(simulate(contract, 300, seed=9).features, model), key=model.logit)
    said = told(model, whole).contributions
    whole[charge] = None
    unsaid = told(model, whole).contributions
    assert said[charge] != 0
    assert unsaid[charge] == 0
    assert unsaid[minutes] == pytest.approx(said[charge] + said[minutes], abs=1e-3)


# Models as no training would find them


def made_up(seed: int) -> tuple[CompiledModel, list[Values]]:
    """Sums that overlap, rules that read a sum and its parts, several levels of a category; and customers on the cuts."""
    rng = np.random.default_rng(seed)
    numbers, levels = ("a", "b", "c", "d", "flag"), ("x", "y", "z")
    grid = [0.0, 0.5, 1.0, 1.5, 2.0]
    sums = {"ab": ("a", "b"), "dca": ("d", "c", "a")} if seed % 2 else {"bacd": ("b", "a", "c", "d")}

    def bounds(choices: list[float]) -> tuple[float, float]:
        low, high = sorted(rng.choice(choices, 2, replace=False))
        return float(rng.choice([-np.inf, low])), float(rng.choice([np.inf, high]))

    def choices(number: int) -> list[float]:
        is_sum = len(numbers) <= number < len(numbers) + len(sums)
        return [value * 2 + 0.25 for value in grid] if is_sum else [0.0, 0.5] if number >= len(numbers) + len(sums) else grid

    inputs = len(numbers) + len(sums) + 2 * len(levels)
    rules = []
    for _ in range(12):
        read = rng.choice(inputs, rng.integers(1, 5), replace=False)
        if rng.random() < 0.3:  # several conditions on one input
            read = [*read, read[0], len(numbers), len(numbers)]
        rules.append(WeighedRule(tuple(Condition(int(n), *bounds(choices(int(n)))) for n in read), float(rng.normal())))
    ramps = []
    for _ in range(6):
        number = int(rng.integers(inputs))
        low, high = sorted(rng.choice(choices(number), 2, replace=False))
        ramps.append(Ramp(number, float(low), float(high), float(rng.normal()), float(rng.choice(grid))))
    model = CompiledModel(
        columns=("k", "a", "b", "flag", "c", "l", "d"),
        numbers=numbers,
        sums=sums,
        levels={"k": levels, "l": levels},
        relations={"a": ("b", 0.5), "b": ("a", 2.0)},
        typical={"k": "x", "l": "z" if seed % 3 else None, "a": 0.5, "b": 1.0, "c": 1.5, "d": 0.0, "flag": 0.0},
        category_levels={"k": (*levels, "w"), "l": (*levels, "w")},
        ramps=tuple(ramps),
        rules=tuple(rules),
        intercept=float(rng.normal()),
    )
    asked: list[Values] = []
    for _ in range(12):
        kinds: Values = [*(float(value) for value in rng.choice([*grid, 5.0], 4)), bool(rng.integers(2))]
        a, b, c, d, flag = kinds
        k, level = (str(one) for one in rng.choice([*levels, "w"], 2))
        asked.append([None if rng.random() < 0.15 else value for value in (k, a, b, flag, c, level, d)])
    return model, asked


@pytest.mark.parametrize("seed", range(24))
def test_any_model_is_taken_apart_by_the_definition(seed: int) -> None:
    model, asked = made_up(seed)
    attributor = Attributor(model)
    for values in asked:
        base, shares = by_all_mixtures(model, values)
        found = attributor.attribute(values)
        assert found.base == pytest.approx(base, abs=1e-12)
        assert found.contributions == pytest.approx(shares, abs=1e-12)
        assert found.base + sum(found.contributions) == pytest.approx(model.logit(values), abs=1e-12)
        assert sum(found.term_gains.values()) == pytest.approx(sum(shares), abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_drawn_orders_share_out_the_same_sum(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = made_up(seed)
    exact = [told(model, values) for values in asked]
    for module in (interpolation, shapley):
        monkeypatch.setattr(module, "MAX_MIXED", 1)
    shapley.mixtures.cache_clear()
    drawn = [told(model, values) for values in asked]
    shapley.mixtures.cache_clear()
    for values, all_of_it, part in zip(asked, exact, drawn, strict=True):
        assert part.base + sum(part.contributions) == pytest.approx(model.logit(values), abs=1e-11)
        assert part.contributions == pytest.approx(all_of_it.contributions, abs=0.2)
        assert part.term_gains == pytest.approx(all_of_it.term_gains, abs=1e-12)


def test_a_bound_on_the_last_digit_of_a_sum_is_met_as_in_the_logit() -> None:
    model, _ = made_up(1)
    assert 0.1 + 0.2 + 0.3 > 0.3 + 0.2 + 0.1 == 0.6
    first, other = len(model.numbers), len(model.numbers) + 1
    rule = WeighedRule((Condition(first, 0.6, math.inf), Condition(other, -math.inf, 0.6)), 2.0)
    model = replace(model, sums={"abc": ("a", "b", "c"), "cba": ("c", "b", "a")}, ramps=(), rules=(rule,))
    values = ["x", 0.1, 0.2, False, 0.3, "x", 0.0]
    found = told(model, values)
    assert model.logit(values) - model.intercept == 2.0
    assert found.base + sum(found.contributions) == pytest.approx(model.logit(values), abs=1e-12)


def test_a_part_of_a_sum_that_does_not_matter_contributes_nothing_at_all() -> None:
    model, _ = made_up(0)
    rule = WeighedRule((Condition(len(model.numbers), 50.0, math.inf),), 3.0)
    found = told(replace(model, ramps=(), rules=(rule,)), ["x", 60.0, 1.5, False, 1.75, "x", 0.25])
    assert found.contributions == [0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_a_sum_too_large_for_a_float_is_still_shared_out(contract: Contract) -> None:
    model, _ = made_up(0)
    total = len(model.numbers)
    ramp, rule = Ramp(total, 0.0, 4.0, 0.5, 0.0), WeighedRule((Condition(total, 4.0, math.inf),), 2.0)
    model = replace(model, ramps=(ramp,), rules=(rule,), intercept=0.0)
    found = told(model, ["x", 1.7e308, 1.7e308, False, 1.5, "x", 0.0])
    assert found.base + sum(found.contributions) == pytest.approx(0.5 * 4 + 2)
    assert found.contributions[1] == pytest.approx(found.contributions[2])
