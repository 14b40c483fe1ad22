from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from churn.contract import Contract, load_contract
from tests.checkout import CHECKOUT

REAL_DATA = CHECKOUT / "data/telecom_churn.csv"

# The same examples on every run, and nothing remembered on disk: a red test is red for everybody.
hypothesis.settings.register_profile("churn", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("churn")


@pytest.fixture(scope="session")
def contract() -> Contract:
    return load_contract("telecom")


@pytest.fixture(scope="session")
def real_data() -> Path:
    path = Path(os.environ.get("CHURN_TEST_DATA") or REAL_DATA)
    if not path.is_file():
        pytest.skip(f"needs the real customers, and {path} is not there: run `.venv/bin/churn data pull`, or set CHURN_TEST_DATA")
    return path
