"""Everybody whom the model names is called, and three in ten who would have left stay; nothing else in the world changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.campaigns.company import PARAMS, START, Company, opened
from churn.config.params import ModelParams
from churn.config.settings import load_settings
from churn.contract import load_contract
from churn.evaluation.weights import repeated_size
from churn.lifecycle.gate import decide
from churn.lifecycle.mature_traffic import read_mature_traffic
from churn.modeling.training import train
from churn.modeling.training_set import assemble
from monitoring.monitor import run_monitor

ROWS, SEED = 6_000, 5
LATER = START.replace(month=3)
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


def test_what_is_learned_is_as_if_nobody_had_been_called(company: Company, tmp_path: Path) -> None:
    rate = {}
    for calls, recorded in ((False, False), (True, False), (True, True)):
        store = opened(tmp_path, f"{calls}-{recorded}")
        company.ask(store, ROWS, SEED, calls=calls, recorded=recorded)
        traffic = read_mature_traffic(store, company.contract, 0.0, newest=100_000, now=LATER)
        known = assemble(company.file, traffic.rows, company.contract, company.params)
        rate[calls, recorded] = float(known.train.outcome.iloc[-known.dated :].mean())
        if recorded:
            assert known.fresh.original is not None
            assert repeated_size(known.fresh.original) < len(known.fresh)
            assert traffic.selection is not None
            assert "effective sample size" in str(traffic)
        store.close()
    assert rate[True, False] < rate[False, False] - 0.005, "some stayed because they were called"
    # Some seventy of the control group, each for ten, tell of those named: a standard error of .009. Without them it is .1 less.
    assert rate[True, True] == pytest.approx(rate[False, False], abs=0.02)


@pytest.mark.long
def test_the_gate_rejects_a_challenger_that_learned_from_calls(tmp_path: Path) -> None:
    """The same customers, known to the gate with their contacts or without: without them, it lets the poisoned model pass."""
    company = Company.found(load_contract(), 1)
    known = {}
    for recorded in (False, True):
        store = opened(tmp_path, f"gate-{recorded}")
        company.ask(store, 6_000, SEED, calls=True, recorded=recorded)
        traffic = read_mature_traffic(store, company.contract, 0.0, newest=100_000, now=LATER)
        known[recorded] = assemble(company.file, traffic.rows, company.contract, company.params)
        store.close()
    poisoned = train(known[False], company.contract, company.params, name="churn", trigger="drift").model
    verdicts = {
        recorded: decide(poisoned, company.champion, one.fresh, company.params, company.contract, serving=None)
        for recorded, one in known.items()
    }
    assert {recorded: verdict.promote for recorded, verdict in verdicts.items()} == {False: True, True: False}


def test_without_a_control_group_the_monitor_says_so_and_training_leaves_the_time_out(company: Company, tmp_path: Path) -> None:
    store = opened(tmp_path, "blind")
    company.ask(store, ROWS, SEED, calls=True, share=0.0)
    run = run_monitor(store, company.contract, SETTINGS, "1", company.reference, now=LATER)
    traffic = read_mature_traffic(store, company.contract, 0.0, newest=100_000, now=LATER)
    known = assemble(company.file, traffic.rows, company.contract, company.params)
    store.close()
    assert run.result.window.blind
    assert run.result.performance.realized is None
    assert "can no longer be known" in run.result.policy.reason
    assert "CHURN_CONTROL_SHARE" in run.result.policy.reason
    assert traffic.doubtful
    assert (known.dated, known.fresh_is_traffic) == (0, False)
