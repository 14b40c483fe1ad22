"""Which column of a file, or key of its folder, is which feature."""

from __future__ import annotations

import pytest

from churn.batch.pieces import PIECE_ROWS, find
from churn.batch.plan import Part, Terms
from churn.contract import load_contract
from churn.customers.customer import request_model
from churn.customers.validation import CustomerRules
from churn.errors import ContractError

CONTRACT = load_contract()
RULES = CustomerRules(CONTRACT, request_model(CONTRACT))
ABSENT = Terms(allow_absent=True)


def part(**keys: str | None) -> Part:
    return Part("/x/a.csv", "a.csv", "a.parquet", None, 0, 0, keys, 0, 0)


def test_columns_are_found_by_either_spelling_and_folders_hold_more() -> None:
    found = find(part(state="OH", region="x"), ["Total day minutes", "customer_id", "note"], RULES, ABSENT)
    assert found == {"state": "state", "total_day_minutes": "Total day minutes", "customer_id": "customer_id"}
    assert find(part(state="OH"), ["state"], RULES, ABSENT) == {"state": "state"}


def test_what_cannot_be_read_is_said() -> None:
    with pytest.raises(ContractError, match=r"a\.csv: column 'state': the file has two columns of this name"):
        find(part(), ["state", "note", "state"], RULES, ABSENT)
    with pytest.raises(ContractError, match="has none of the contract's features"):
        find(part(), ["customer_id", "note"], RULES, ABSENT)
    with pytest.raises(ContractError, match="column is missing"):
        find(part(), ["state"], RULES, Terms())
    assert len(find(part(), CONTRACT.feature_names, RULES, Terms())) == len(CONTRACT.feature_names)
    assert PIECE_ROWS == 65_536
