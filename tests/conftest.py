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

# How long a test may take, its fixtures included, where it is not what pyproject.toml says.
SECONDS = {"unit": 60, "chaos": 900, "e2e": 900}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        seconds = SECONDS.get(item.path.relative_to(CHECKOUT / "tests").parts[0])
        if seconds is not None and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(seconds))


@pytest.fixture(scope="session")
def contract() -> Contract:
    return load_contract("telecom")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real customers: of CHURN_TEST_DATA or the checkout, else fetched once and kept in the user's cache folder."""
    for path in (os.environ.get("CHURN_TEST_DATA"), REAL_DATA):
        if path and Path(path).is_file():
            return Path(path)
    # Imported only here: most tests need no customers.
    from pipelines.data_sources.published import TELECOM
    from tests.published_data import published

    return published(TELECOM, "telecom_churn.csv")
