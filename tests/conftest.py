from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from churn.contract import Contract, load_contract
from tests.checkout import CHECKOUT

REAL_DATA = (CHECKOUT / "data/telecom_churn.csv", CHECKOUT.parent / "shared/data/telecom_churn.csv")

# The same examples on every run, and nothing remembered on disk: a red test is red for everybody.
hypothesis.settings.register_profile("churn", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("churn")


@pytest.fixture(scope="session")
def contract() -> Contract:
    return load_contract("telecom")


@pytest.fixture(scope="session")
def real_data() -> Path:
    named = os.environ.get("CHURN_DATA")
    for path in [Path(named)] if named else REAL_DATA:
        if path.is_file():
            return path
    pytest.skip(
        f"needs the real customers: run `.venv/bin/churn data pull`, or set CHURN_DATA (looked for {named or REAL_DATA[0]})"
    )
