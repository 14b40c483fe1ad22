"""Every benchmark runs by its one command; the short form is enough to see that it still does.

`make test` runs one of them, the gate's; `make test-long` all, most of them forked from one process (`preloaded`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.year.campaign import NO_CAMPAIGN, run_campaign_scenario
from benchmarks.year.training import Trainer
from benchmarks.year.year import ORACLE, OURS
from churn.contract import load_contract
from tests.checkout import CHECKOUT
from tests.integration.postgres import find_programs
from tests.integration.preloaded import Preloaded, preloaded
from tests.integration.test_flows import QUICK


@pytest.fixture(scope="module")
def forks() -> Iterator[Preloaded]:
    with preloaded() as forks:
        yield forks


def run(name: str, out: Path, data: Path | None = None, *, forks: Preloaded | None = None, **more: str) -> dict[str, Any]:
    module, arguments = f"benchmarks.{name}", ["--short", "--out", str(out)]
    environment = dict(os.environ) | ({} if data is None else {"CHURN_DATA": str(data)}) | more
    out.parent.mkdir(parents=True, exist_ok=True)
    printed, errors = out.with_suffix(".out"), out.with_suffix(".err")
    if forks is None:
        command = [sys.executable, "-W", "error", "-m", module, *arguments]
        with printed.open("w") as said, errors.open("w") as wrong:
            code = subprocess.run(command, cwd=CHECKOUT, env=environment, stdout=said, stderr=wrong, check=False).returncode
    else:
        code = forks.run(module, arguments, environment, (printed, errors))
    assert code == 0, errors.read_text()
    assert printed.read_text().strip(), "it prints a table"
    document: dict[str, Any] = json.loads(out.read_text())
    return document


# A benchmark that is added is added here: it takes --short and --out, prints a table and writes JSON.
@pytest.mark.long
@pytest.mark.parametrize("name", ["batch", "batch.logged", "campaigns", "drift", "model", "serving", "store", "synchronous"])
def test_a_benchmark_runs_by_one_command(name: str, tmp_path: Path, real_data: Path, forks: Preloaded) -> None:
    if name == "store":
        find_programs()  # skips where there is no PostgreSQL
    assert run(name, tmp_path / "made" / f"{name}.json", real_data, forks=forks)["results"]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_system_is_timed_from_nothing_and_again(tmp_path: Path, real_data: Path) -> None:
    (tmp_path / "params.yaml").write_text(QUICK)
    found = run("startup", tmp_path / "startup.json", real_data, CHURN_PARAMS=str(tmp_path / "params.yaml"))["results"]
    assert {
        "churn --help",
        "churn model list, MLflow's server",
        "churn up, from nothing",
        "churn up, again: everything",
    } <= found.keys()
    assert all(len(seconds) == 1 and seconds[0] > 0 for seconds in found.values())


def test_the_gate_tells_equals_from_the_better_even_in_a_short_run(tmp_path: Path) -> None:
    equal, better = run("gate", tmp_path / "gate.json")["results"]
    assert (equal["better_by"], better["better_by"]) == (0.0, 0.04)
    # 20 trials of 5 %: more than 4 has a probability of .003. At +.04 and 1,000 rows it takes nearly all.
    assert equal["counts"].get("taken", 0) <= 4
    assert better["counts"]["taken"] >= 16
    assert better["interval"][0] < better["taken"] <= better["interval"][1]


@pytest.mark.long
def test_a_year_with_a_price_rise_is_lived_through_by_everybody_and_its_results_are_kept(
    tmp_path: Path, forks: Preloaded
) -> None:
    out = tmp_path / "year.json"
    [result] = run("year", out, forks=forks)["results"]
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
    [again] = run("year", out, forks=forks)["results"]
    assert again == result


@pytest.mark.long
def test_columns_scores_and_youth_are_worth_what_the_model_card_builds_on(
    tmp_path: Path, real_data: Path, forks: Preloaded
) -> None:
    found = run("worth", tmp_path / "worth.json", real_data, forks=forks)["results"]
    calls = found["columns"][0]
    assert calls["columns"] == ["customer_service_calls"]
    # (Two folds of the short form make no interval that says anything.)
    assert calls["log_loss"]["mean"] > 0.05
    assert all(abs(row["log_loss"]["mean"]) < calls["log_loss"]["mean"] for row in found["columns"][1:])
    assert found["proxy"]["correlation"] < -0.8
    young, old = found["age"]
    assert abs(young["old"]["log_loss"] - young["fresh"]["log_loss"]) < 0.05
    assert old["old"]["log_loss"] - old["fresh"]["log_loss"] > 0.2
    assert old["fresh"]["profit"] > old["old"]["profit"]


@pytest.mark.long
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
