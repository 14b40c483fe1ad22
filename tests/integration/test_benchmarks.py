"""Every benchmark runs by its one command; the short form is enough to see that it still does.

`make test` runs one of them, the gate's; `make test-long` all, most of them forked from one process (`preloaded`). Those that
live through months, or start the whole system, are in test_long_benchmarks.py: another process runs them meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.postgres import find_programs
from tests.integration.preloaded import Preloaded, preloaded
from tests.integration.short_benchmarks import run_short


@pytest.fixture(scope="module")
def forks() -> Iterator[Preloaded]:
    with preloaded() as forks:
        yield forks


# A benchmark that is added is added here: it takes --short and --out, prints a table and writes JSON.
@pytest.mark.long
@pytest.mark.parametrize("name", ["batch", "batch.logged", "campaigns", "model", "serving", "store", "synchronous"])
def test_a_benchmark_runs_by_one_command(name: str, tmp_path: Path, real_data: Path, forks: Preloaded) -> None:
    if name == "store":
        find_programs()  # skips where there is no PostgreSQL
    assert run_short(name, tmp_path / "made" / f"{name}.json", real_data, forks=forks)["results"]


def test_the_gate_tells_equals_from_the_better_even_in_a_short_run(tmp_path: Path) -> None:
    equal, better = run_short("gate", tmp_path / "gate.json")["results"]
    assert (equal["better_by"], better["better_by"]) == (0.0, 0.04)
    # 20 trials of 5 %: more than 4 has a probability of .003. At +.04 and 1,000 rows it takes nearly all.
    assert equal["counts"].get("taken", 0) <= 4
    assert better["counts"]["taken"] >= 16
    assert better["interval"][0] < better["taken"] <= better["interval"][1]


@pytest.mark.long
def test_columns_scores_and_youth_are_worth_what_the_model_card_builds_on(
    tmp_path: Path, real_data: Path, forks: Preloaded
) -> None:
    found = run_short("worth", tmp_path / "worth.json", real_data, forks=forks)["results"]
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
