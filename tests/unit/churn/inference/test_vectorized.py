"""Columns of customers are answered as each customer is alone, and both as the terms are written down."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from churn.inference import vectorized
from churn.inference.compiled import CompiledModel
from churn.inference.vectorized import clipped_inputs, logits, probabilities, to_probabilities
from tests.unit.churn.explain.test_attribution import Values, made_up


def inputs_of(model: CompiledModel, values: Values) -> tuple[list[float], set[int]]:
    """Return the numbered inputs of one customer, gaps filled, and which of the numbers stay missing: without any cleverness."""
    given: dict[str, Any] = dict(zip(model.columns, values, strict=True))
    filled, missing = dict(given), set()
    for name, value in given.items():
        if value is not None:
            continue
        other, factor = model.relations.get(name, (None, 1.0))
        if other is not None and given[other] is not None:
            filled[name] = given[other] * factor
        else:
            filled[name] = model.typical[name]
            missing |= {model.numbers.index(name)} if name in model.numbers else set()
    totals = []
    for parts in model.sums.values():
        total = 0.0
        for name in parts:
            total += filled[name]
        totals.append(total)
    levels = [float(filled[column] == level) for column, known in model.levels.items() for level in known]
    return [*(float(filled[name]) for name in model.numbers), *totals, *levels], missing


def clips(model: CompiledModel, values: Values) -> list[float]:
    inputs, missing = inputs_of(model, values)
    return [one.missing if one.input in missing else min(max(inputs[one.input], one.low), one.high) for one in model.ramps]


def by_hand(model: CompiledModel, values: Values) -> float:
    inputs, _ = inputs_of(model, values)
    logit = model.intercept
    for ramp, value in zip(model.ramps, clips(model, values), strict=True):
        logit += ramp.weight * value
    for rule in model.rules:
        if all(one.low < inputs[one.input] <= one.high for one in rule.conditions):
            logit += rule.weight
    return logit


def columns_of(model: CompiledModel, asked: list[Values]) -> dict[str, np.ndarray]:
    found = {}
    for name, values in zip(model.columns, zip(*asked, strict=True), strict=True):
        if name in model.category_levels:
            known = model.category_levels[name]
            found[name] = np.array([-1 if value is None else known.index(str(value)) for value in values])
        else:
            found[name] = np.array([np.nan if value is None else float(value) for value in values])
    return found


def asked_of(seed: int) -> tuple[CompiledModel, list[Values]]:
    model, _ = made_up(seed)
    # Each kind of model has many customers; that they lie on the cuts is what they have in common.
    return model, [values for other in range(8) for values in made_up(other)[1]]


@pytest.mark.parametrize("seed", range(8))
def test_alone_in_columns_and_by_hand_the_answer_is_the_same(seed: int) -> None:
    model, asked = asked_of(seed)
    expected = [by_hand(model, values) for values in asked]
    assert [model.logit(values) for values in asked] == pytest.approx(expected, abs=1e-12)
    assert logits(model, columns_of(model, asked)).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_ramps_are_clipped_alike(seed: int) -> None:
    model, asked = asked_of(seed)
    expected = [clips(model, values) for values in asked]
    assert [model.clipped(values) for values in asked] == expected
    assert clipped_inputs(model, columns_of(model, asked)).T.tolist() == expected


@pytest.mark.parametrize("block", [1, 7, 96, 1_000])
def test_the_size_of_a_block_plays_no_part(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = asked_of(1)
    columns = columns_of(model, asked)
    whole = probabilities(model, columns)
    monkeypatch.setattr(vectorized, "BLOCK", block)
    assert probabilities(model, columns).tolist() == whole.tolist()
    assert whole.tolist() == pytest.approx([1 / (1 + math.exp(-by_hand(model, values))) for values in asked], abs=1e-12)


def test_no_log_odds_overflow() -> None:
    found = to_probabilities(np.array([-1e308, -800.0, -1.0, 0.0, 1.0, 800.0, 1e308]))
    assert found.tolist() == pytest.approx([0.0, 0.0, 1 / (1 + math.e), 0.5, math.e / (1 + math.e), 1.0, 1.0])
