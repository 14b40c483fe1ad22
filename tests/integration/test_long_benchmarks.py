"""The benchmarks whose short forms take longest: what goes on for months, and the start of the whole system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.year.campaign import NO_CAMPAIGN, run_campaign_scenario
from benchmarks.year.training import Trainer
from benchmarks.year.year import ORACLE, OURS
from churn.contract import load_contract
from tests.integration.preloaded import Preloaded, preloaded
from tests.integration.short_benchmarks import run_short
from tests.integration.test_flows import QUICK

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def forks() -> Iterator[Preloaded]:
    with preloaded() as forks:
        yield forks


def test_drift_is_looked_for_by_one_command(tmp_path: Path, real_data: Path, forks: Preloaded) -> None:
    assert run_short("drift", tmp_path / "made" / "drift.json", real_data, forks=forks)["results"]


@pytest.mark.timeout(900)
def test_the_system_is_timed_from_nothing_and_again(tmp_path: Path, real_data: Path) -> None:
    (tmp_path / "params.yaml").write_text(QUICK)
    found = run_short("startup", tmp_path / "startup.json", real_data, CHURN_PARAMS=str(tmp_path / "params.yaml"))["results"]
    assert {
        "churn --help",
        "churn model list, MLflow's server",
        "churn up, from nothing",
        "churn up, again: everything",
    } <= found.keys()
    assert all(len(seconds) == 1 and seconds[0] > 0 for seconds in found.values())


def test_a_year_with_a_price_rise_is_lived_through_by_everybody_and_its_results_are_kept(
    tmp_path: Path, forks: Preloaded
) -> None:
    out = tmp_path / "year.json"
    [result] = run_short("year", out, forks=forks)["results"]
    accounts, event = dict(result["accounts"]), result["event"]
    assert {len(account["log_loss"]) for account in accounts.values()} == {12}
    # No model is as good as the truth, and one that is never retrained does not survive the event.
    best = accounts.pop("oracle")["log_loss"]
    assert all(model > truth for account in accounts.values() for model, truth in zip(account["log_loss"], best, strict=True))
    assert accounts["never retrain"]["log_loss"][event] > 2.5 * best[event]
    # Ours notices, not before there are outcomes of that month, and mends it.
    assert min(day for day in accounts["ours"]["concept_alarms"] if day > 31 * event) >= 31 * event + 30
    assert accounts["ours"]["log_loss"][-1] < accounts["never retrain"]["log_loss"][-1] / 2
    assert out.with_suffix(".png").stat().st_size > 10_000
    # A second run takes what is kept.
    assert len(out.with_suffix(".jsonl").read_text().splitlines()) == 1
    [again] = run_short("year", out, forks=forks)["results"]
    assert again == result


def test_a_year_with_campaigns_is_lived_through_by_ours_with_and_without_them() -> None:
    names = (OURS, NO_CAMPAIGN, ORACLE)
    found = run_campaign_scenario("calm", 1, 600, Trainer(load_contract()), names=names, months=3).accounts
    # Of the last month no outcome is known yet.
    assert len(found[OURS].saved) == 2
    assert found[OURS].clean_log_loss is not None
    assert found[NO_CAMPAIGN].clean_log_loss is not None
    assert found[NO_CAMPAIGN].saved == []
    assert found[NO_CAMPAIGN].profit == [0.0, 0.0, 0.0]
    assert min(found[ORACLE].profit) > 0
    assert sum(found[ORACLE].profit) > sum(found[OURS].profit)
