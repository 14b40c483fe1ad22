"""Why a customer is on a list: only what raises the risk, strongest first, never more than asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from churn.contract import load_contract
from churn.customers.columns import CustomerColumns
from service.scoring.call_reasons import CallReasons

CONTRACT = load_contract("telecom")


class Explainer:
    """Gives a reason per number of the customer: its contribution is the number."""

    approximate = False

    def __init__(self) -> None:
        self.asked: list[int] = []

    def reasons_for(self, values: Sequence[Any], strongest: int, /) -> tuple[float, list[dict[str, Any]]]:
        self.asked.append(strongest)
        numbers = sorted((value for value in values if isinstance(value, float)), key=abs, reverse=True)
        return 0.0, [{"text": f"{number:g}", "contribution": number} for number in numbers[:strongest]]

    def write_reasons(self, values: Sequence[Any], strongest: int, /) -> tuple[float, bytes]:
        raise AssertionError("nobody asks for JSON here")


def customers(*rows: dict[str, float]) -> CustomerColumns:
    values: dict[str, Any] = {}
    for one in CONTRACT.features:
        given = [row.get(one.name, np.nan) for row in rows]
        values[one.name] = np.full(len(rows), -1) if one.kind == "category" else np.array(given)
    return CustomerColumns(values)


GIVEN = customers(
    {"total_day_minutes": 1.0, "total_eve_minutes": -5.0, "total_night_minutes": 3.0, "total_intl_minutes": 2.0},
    {"total_day_minutes": -1.0, "total_eve_minutes": 0.0},
    {},
)


@pytest.mark.parametrize(("strongest", "first"), [(1, ["3"]), (2, ["3", "2"]), (9, ["3", "2", "1"])])
def test_reasons_raise_the_risk_and_the_strongest_come_first(strongest: int, first: list[str]) -> None:
    explainer = Explainer()
    found = list(CallReasons(explainer, lambda values: values, CONTRACT, strongest).of(GIVEN))
    assert found == [first, [], []]
    assert set(explainer.asked) == {len(CONTRACT.feature_names)}, "what lowers the risk must not crowd out what raises it"


def test_the_values_that_the_model_reads_are_picked() -> None:
    found = list(CallReasons(Explainer(), lambda values: values[:0], CONTRACT, 3).of(GIVEN))
    assert found == [[], [], []]


def test_a_model_that_cannot_say_gives_none_for_each() -> None:
    assert list(CallReasons(None, lambda values: values, CONTRACT, 3).of(GIVEN)) == [[], [], []]
