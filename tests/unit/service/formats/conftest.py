from __future__ import annotations

import pytest

from churn.contract import Contract
from service.formats.validation import ColumnRules
from service.schemas.native import RequestModels


@pytest.fixture(scope="session")
def rules(contract: Contract) -> ColumnRules:
    """What the columns of the telecom contract must hold."""
    return ColumnRules(contract, RequestModels.from_contract(contract, 100).customer)
