"""Which segment a customer belongs to: alone, in a list and in columns it is the same one, and never of another model."""

from __future__ import annotations

import numpy as np
import pytest

from churn.contract import Contract
from churn.customers.columns import CustomerColumns
from churn.explain import segmenter as module
from churn.explain.segmenter import Segmenter
from churn.inference.compiled import CompiledModel
from churn.inference.compiler import compile_pipeline
from churn.segments.segments import Segments
from tests.unit.service.fakes import make_model


@pytest.fixture
def compiled(contract: Contract) -> CompiledModel:
    model = make_model()
    found = compile_pipeline(model.pipeline, model.info.features, contract)
    assert found is not None
    return found


@pytest.fixture
def segments(compiled: CompiledModel) -> Segments:
    columns = list(compiled.columns)
    high, low, usual = [1.5] + [0.0] * (len(columns) - 1), [-1.5] + [0.0] * (len(columns) - 1), [0.0] * len(columns)
    return Segments(columns=columns, names=["high", "typical", "low"], centres=[high, usual, low], shares=[0.2, 0.6, 0.2])


def customers(contract: Contract, rows: int) -> CustomerColumns:
    rng = np.random.default_rng(4)
    values = {
        one.name: rng.integers(0, 2, rows) if one.kind == "category" else rng.normal(100, 60, rows) for one in contract.features
    }
    values["total_day_minutes"][::7] = np.nan
    return CustomerColumns(values)


@pytest.mark.parametrize("at_once", [1, 8, 2_000])
def test_alone_in_a_list_and_in_columns_it_is_the_same(
    contract: Contract, compiled: CompiledModel, segments: Segments, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SPELLED_AT_ONCE", at_once)
    found, some = Segmenter.of(compiled, segments), customers(contract, 60)
    columns = some.plain_values(segments.columns, contract)
    alone = [found.number(values) for values in zip(*columns, strict=True)]
    assert set(alone) == {0, 1, 2}
    assert found.numbers(columns).tolist() == alone
    assert found.of_customers(some, contract).tolist() == alone
    assert [found.name(values) for values in zip(*columns, strict=True)] == [segments.names[number] for number in alone]
    assert found.names == ["high", "typical", "low"]


def test_the_nearest_centre_decides(compiled: CompiledModel, segments: Segments) -> None:
    found = Segmenter.of(compiled, segments)
    assert [found.name([minutes, 1.0, False]) for minutes in (300.0, 100.0, -100.0)] == ["high", "typical", "low"]


def test_of_nobody_there_are_no_segments(contract: Contract, compiled: CompiledModel, segments: Segments) -> None:
    assert Segmenter.of(compiled, segments).of_customers(customers(contract, 0), contract).shape == (0,)


def test_segments_of_another_model_are_refused(compiled: CompiledModel, segments: Segments) -> None:
    other = segments.model_copy(update={"columns": segments.columns[::-1]})
    with pytest.raises(ValueError, match="compare other columns than the model reads"):
        Segmenter.of(compiled, other)
