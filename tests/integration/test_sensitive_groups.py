"""Sensitive columns from a company's file to the run's page and metrics, on SQLite and PostgreSQL; and nowhere else.

The long form is that on PostgreSQL: what the store does there, tests/integration/test_store_on_postgres.py holds each time.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from churn.contract import load_contract
from churn.customers.pseudonym import Pseudonymiser
from churn.store.export import export_customer
from churn.store.store import Store
from monitoring.exporter.runs import collect_runs
from monitoring.monitor import record_run, run_monitor
from monitoring.reference import Reference
from monitoring.reports.summary import render_summary
from monitoring.run_result import RunResult
from tests import forked
from tests.unit.monitoring.fakes import NOW, come_true, make_settings, serve
from tests.unit.monitoring.grouped import CONTRACT, draw

KEY = "a key of sixteen or more"
GENDER = {"name": "gender", "source": "Gender", "kind": "category", "role": "sensitive", "levels": ["female", "male"]}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield f"sqlite:///{tmp_path / 'store.db'}"
        else:
            yield stack.enter_context(request.getfixturevalue("postgres").database())


def churn(url: str, home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"CHURN_HOME": str(home), "CHURN_STORE_URL": url, "CHURN_PSEUDONYM_KEY": KEY}
    env["CHURN_CONTRACT"] = str(home / "contract.yaml")
    return forked.churn(*map(str, arguments), environment=env)


def test_what_is_sent_is_compared_on_the_page_in_metrics_and_erased_with_the_customer(url: str, tmp_path: Path) -> None:
    described = CONTRACT.model_dump(exclude={"digest"}, mode="json")
    (tmp_path / "contract.yaml").write_text(yaml.safe_dump(described | {"columns": [*described["columns"], GENDER]}))
    contract = load_contract(tmp_path / "contract.yaml")
    frame, rng = draw(2000, 2), np.random.default_rng(1)
    woman = rng.random(2000) < 0.4
    # Of the men who leave most are named, of the women hardly any.
    frame["churn_probability"] = np.where(woman, frame["churn_probability"], np.minimum(frame["churn_probability"] + 0.35, 0.99))
    frame["customer_id"] = [Pseudonymiser(KEY)(f"c{n}") for n in range(2000)]
    rows = "\n".join(f"c{n},{'female' if woman[n] else 'male'}" for n in range(1900))
    (tmp_path / "groups.csv").write_text(f"customer_id,Gender\n{rows}\n")

    refused = churn(url, tmp_path, "store", "sensitive", tmp_path / "contract.yaml")
    assert refused.returncode == 2
    said = churn(url, tmp_path, "store", "sensitive", tmp_path / "groups.csv", "--json")
    assert said.returncode == 0, said.stderr
    counted = {"changed": 0, "removed": 0, "columns": ["gender"], "customers": 1900}
    assert json.loads(said.stdout) == counted | {"new": 1900, "same": 0}
    again = churn(url, tmp_path, "store", "sensitive", tmp_path / "groups.csv", "--json")
    assert json.loads(again.stdout) == counted | {"new": 0, "same": 1900}

    store = Store.open(url)
    try:
        come_true(store, serve(store, frame, contract=contract), frame)
        reference = Reference.of(draw(3000, 1), contract)
        run = run_monitor(store, contract, make_settings(max_window_rows=10_000), "1", reference)
        assert record_run(store, run)
        result = RunResult.from_record(store.monitor_runs(limit=1)[0])
        assert result.groups is not None
        assert (result.groups.customers, result.groups.known) == (2000, 1900)
        (gap,) = result.groups.gaps
        assert (gap.column, gap.measure, gap.p_value, gap.rates[-1].group) == ("gender", "recall", 0.001, "female")
        assert {one.group: one.customers for one in gap.rates} == {"female": woman[:1900].sum(), "male": (~woman)[:1900].sum()}
        page = render_summary(result, [], false_alarm_rate=0.01)
        assert "recall by gender" in page
        assert f"female {gap.rates[-1].rate:.0%} of {gap.rates[-1].among}" in page
        told = {
            (sample.name, *sample.labels.values()): sample.value
            for family in collect_runs(store, None)
            for sample in family.samples
        }
        assert told["churn_group_gap", "gender", "recall"] == pytest.approx(gap.gap)
        assert told["churn_group_rate", "gender: female", "recall"] == pytest.approx(gap.rates[-1].rate)
        # No prediction holds it, and no page names anybody.
        assert "gender" not in store.read_predictions(contract).columns
        assert not any(who in page for who in frame["customer_id"])

        # A month later more of the women leave than before, and fewer of the men: among all it evens out.
        left, lot = frame["churned"].to_numpy() == 1, rng.random(2000)
        month = frame.assign(churned=np.where(woman, left | (lot < 0.2), left & (lot < 0.2)).astype(float))
        later = [NOW + timedelta(days=1, seconds=n) for n in range(2000)]
        come_true(store, serve(store, month, contract=contract, asked=later), month)
        worse = run_monitor(store, contract, make_settings(max_window_rows=10_000), "1", reference)
        assert record_run(store, worse)
        found = RunResult.from_record(store.monitor_runs(limit=1)[0])
        assert found.slices is not None
        rows = {one.level: one.rows for one in found.slices.judged if one.column == "gender"}
        assert rows == {"female": woman[:1900].sum(), "male": (~woman)[:1900].sum()}
        assert any(one.startswith("customers with gender female: churned ") for one in found.worse_slices)
        assert "customers with gender female" in render_summary(found, [], false_alarm_rate=0.01)
        alarms = {
            sample.labels["slice"]: sample.value
            for family in collect_runs(store, None)
            for sample in family.samples
            if sample.name == "churn_slice_alarm"
        }
        assert (alarms["gender: female"], alarms["gender: male"]) == (1, 1)

        name = Pseudonymiser(KEY)("c17")
        (known,) = export_customer(store.engine, [name])["sensitive_levels"]
        assert (known["customer_id"], known["level"]) == (name, "female" if woman[17] else "male")
        erased = churn(url, tmp_path, "store", "erase", "c17", "--yes", "--json")
        assert (erased.returncode, json.loads(erased.stdout)["sensitive_levels"]) == (0, 1), erased.stderr
        assert store.read_sensitive_levels([name]) == {}
    finally:
        store.close()
