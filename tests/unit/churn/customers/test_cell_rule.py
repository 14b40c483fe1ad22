from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from churn.contract import Column, Contract
from churn.customers.cell_rule import CellRule
from churn.customers.cells import FeatureCells
from service.scoring.fast_validation import FastValidator

CALLS = Column(name="calls", source="Calls", kind="integer", minimum=0, maximum=1000, unit="calls", missing=("?", "#DIV/0!"))
AREA = Column(name="area", source="Area", kind="category", levels=("415", "07", "7.5", "NA"))
PLAN = Column(name="plan", source="Plan", kind="flag", true_level="1", false_level="2")


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        *((CALLS, cell, 415.0) for cell in (415, 415.0, "415", "415.0", " 415 ", "4.15e2", "0415")),
        *((CALLS, cell, None) for cell in (None, "", " ", "NA", "Null", "?", "#div/0!")),
        *((AREA, cell, "415") for cell in (415, 415.0, "415", "415.0", "4.15e2", " 415")),
        *((AREA, cell, value) for cell, value in (("07", "07"), (7.5, "7.5"), ("NA", "NA"))),
        *((PLAN, cell, True) for cell in (1, 1.0, "1", True, "true")),
        *((PLAN, cell, False) for cell in (2, "2", 0, False, "FALSE")),
    ],
)
def test_a_cell_means_the_same_however_it_is_written(column: Column, cell: Any, value: Any) -> None:
    read = CellRule(column.model_copy(update={"nullable": True})).read(cell)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("column", "cell", "rule"),
    [
        (CALLS, True, "must be a number"),
        (CALLS, "many", "must be a number"),
        (CALLS, [], "must be a number"),
        (CALLS, 10**400, "must be a finite number"),
        (CALLS, "1e999", "must be a finite number"),
        (CALLS, 3.000000001, "must be a whole number"),
        (CALLS, -1, "must be at least 0 calls"),
        (CALLS, "1001", "must be at most 1000 calls"),
        (AREA, 7, "unknown level (known: 415, 07, 7.5, NA)"),
        (AREA, "0415", "unknown level (known: 415, 07, 7.5, NA)"),
        (AREA, None, "must not be missing"),
        (PLAN, 3, "must be 1 or 2"),
    ],
)
def test_a_broken_rule_is_named(column: Column, cell: Any, rule: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 -- the whole message is compared
        CellRule(column).read(cell)
    assert str(error.value) == rule


def test_a_feature_whose_levels_contradict_true_and_false_is_no_contract() -> None:
    with pytest.raises(ValidationError, match="exchange the levels"):
        Column(name="stayed", source="Stayed", kind="flag", true_level="False", false_level="True")


@pytest.mark.parametrize("kind", ["number", "integer"])
def test_numbers_at_which_a_model_would_overflow_are_refused_by_every_reader_alike(kind: str) -> None:
    column = Column(name="paid", source="Paid", kind=kind)
    rule, cells = CellRule(column), FeatureCells(column)
    for number in (1e308, -1e308, 1.1e100, "1e200"):
        with pytest.raises(ValueError, match="must lie between -1e"):
            rule.read(number)
        assert cells.from_objects([1.0, number]).doubtful is not None
    assert (cells.from_numbers(np.array([1.0, 1e308, -1e308, 1e100])).doubtful == [False, True, True, False]).all()
    assert rule.read(1e100) == 1e100
    validator = FastValidator(Contract(name="one", columns=(column,)))
    assert validator.read(b'{"paid":1e308}') is None
    assert validator.read(b'{"paid":1e100}') is not None
