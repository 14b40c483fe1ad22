from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.contract import Column
from service.scoring.value_sentences import ValueSentence

NUMBERS = st.floats(-1.7e308, 1.7e308) | st.integers(-1000, 1000).map(float) | st.sampled_from([0.0, -0.0, 1e16, 5e-324, 2.5])
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)


def test_a_missing_value_with_a_weight_of_its_own_is_not_counted_as_another() -> None:
    calls = Column(name="service_calls", source="Calls", kind="integer")
    assert ValueSentence(calls, 1.0, tells_missing=True).text(None, "raises") == "service calls is not known: raises"


def assert_written(column: Column, typical: Any, values: list[Any], contribution: float, effect: str) -> None:
    sentence = ValueSentence(column, typical)
    write = sentence.writer(contribution, effect)
    for value in values:
        told = {"feature": column.name, "value": value, "contribution": contribution, "text": sentence.text(value, effect)}
        assert write(value) == orjson.dumps(told)


@given(NUMBERS, NUMBERS, NUMBERS, TEXTS, st.none() | TEXTS)
def test_a_number_is_written_in_the_bytes_of_its_object(
    value: float, typical: float, contribution: float, effect: str, unit: str | None
) -> None:
    column = Column(name="total_calls", source="total_calls", kind="number", unit=unit)
    assert_written(column, typical, [value, typical, None], contribution, effect)


@given(TEXTS, TEXTS, NUMBERS, TEXTS)
def test_a_level_is_written_in_the_bytes_of_its_object(level: str, typical: str, contribution: float, effect: str) -> None:
    column = Column(name="state", source="state", kind="category", levels=tuple({level, typical}))
    assert_written(column, typical, [level, typical, None], contribution, effect)


@given(st.booleans(), NUMBERS, TEXTS)
def test_a_flag_is_written_in_the_bytes_of_its_object(typical: bool, contribution: float, effect: str) -> None:
    column = Column(name="voice_mail_plan", source="voice_mail_plan", kind="flag", true_level='"Ja"', false_level="nein\n")
    assert_written(column, float(typical), [True, False, None], contribution, effect)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (4.0, "service calls of 4 is above the typical 1: raises"),
        (1.0, "service calls of 1 is at the typical 1: raises"),
        (0.5, "service calls of 0.5 is below the typical 1: raises"),
        (None, "service calls is not known, counted as 1: raises"),
    ],
)
def test_a_unit_that_ends_the_name_is_not_said_again(value: float | None, said: str) -> None:
    assert (
        ValueSentence(Column(name="service_calls", source="service_calls", kind="integer", unit="calls"), 1.0).text(
            value, "raises"
        )
        == said
    )
