from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pyarrow as pa
import pytest

from churn.composed import composed, decomposed
from churn.contract import Column, Contract
from churn.contract_draft.cell_texts import cell_texts
from churn.customers.cell_rule import CellRule
from churn.customers.column_names import ColumnNames
from churn.data.headers import find_columns

ZURICH = unicodedata.normalize("NFC", "Zürich")
APART = decomposed(ZURICH)
CONTRACT = Contract.model_validate(
    {
        "name": "x",
        "target": {"source": decomposed("Gekündigt"), "true_level": decomposed("Früh")},
        "columns": [
            {
                "name": "city",
                "source": decomposed("Ört"),
                "kind": "category",
                "levels": [APART],
                "missing": [decomposed("Gelöscht")],
            },
            {"name": "plan", "source": "Plan", "kind": "flag", "true_level": decomposed("Sí")},
        ],
    }
)


@pytest.mark.parametrize("spelled", [composed, decomposed])
def test_the_same_is_meant_however_accents_are_written(spelled: Callable[[str], str]) -> None:
    city, plan = (CellRule(column) for column in CONTRACT.columns)
    assert city.read(spelled(f" {ZURICH} ")) == ZURICH
    assert city.parse(spelled("GELÖSCHT")) is None
    assert plan.read(spelled("sí")) is True
    assert ColumnNames(CONTRACT).find(spelled("Ört")) == "city"
    assert ColumnNames(CONTRACT).find(spelled("Gekündigt")) == ""
    names = [spelled("Ört "), "Plan", spelled("Gekündigt")]
    assert find_columns("f", names, CONTRACT, ["city", "churn"]) == {"city": names[0], "plan": "Plan", "churn": names[2]}
    assert CONTRACT.target.true_level == "Früh"


def test_a_draft_has_one_level_for_both_spellings() -> None:
    assert set(cell_texts(pa.chunked_array([[ZURICH, APART]]))) == {ZURICH}


def test_a_sensitive_text_is_one_group_for_both_spellings() -> None:
    free = CellRule(Column(name="city", source="City", kind="category", role="sensitive"))
    assert free.read(APART) == free.read(ZURICH) == ZURICH


def test_accents_without_end_are_not_put_in_order() -> None:
    # Python sorts them by insertion: of 200,000 it would take minutes.
    endless = "a" + "\u0316\u0301" * 100_000
    assert composed(endless) is endless
