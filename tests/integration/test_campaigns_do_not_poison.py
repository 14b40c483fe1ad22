"""Everybody whom the model names is called, and three in ten who would have left stay; nothing else in the world changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.campaigns.world import PARAMS, Company, opened
from churn.config.params import ModelParams
from churn.config.settings import load_settings
from churn.contract import load_contract

ROWS, SEED = 6_000, 5
SETTINGS = load_settings(label_maturity_seconds=0.0, min_labelled_rows=100, min_window_rows=100)


@pytest.fixture(scope="module")
def company() -> Company:
    return Company.found(load_contract(), 1, params=PARAMS.model_copy(update={"model": ModelParams(form="plain")}))


def test_outcomes_of_customers_who_were_called_alarm_nobody_once_contacts_are_known(company: Company, tmp_path: Path) -> None:
    alarms = {}
    for recorded in (False, True):
        store = opened(tmp_path, f"recorded-{recorded}")
        company.ask(store, ROWS, SEED, calls=True, recorded=recorded)
        alarms[recorded] = company.judged(store, SETTINGS)
        store.close()
    assert alarms == {False: True, True: False}
