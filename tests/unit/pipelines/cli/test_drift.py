"""`churn drift`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from churn.contract import Contract
from churn.simulation.shift import Shift
from churn.simulation.simulate import simulate, write_csv
from tests.unit.pipelines.cli.command import Churn, assert_one_line, lines_of, rewritten


def drifted(contract: Contract, path: Path, rows: int = 2000, **shift: Any) -> Path:
    write_csv(simulate(contract, rows, 2, shift=Shift(**shift)), contract, path)
    return path


def test_drift_gives_one_verdict_a_file(churn: Churn, contract: Contract, tmp_path: Path) -> None:
    before = tmp_path / "before.csv"
    write_csv(simulate(contract, 2000, 1), contract, before)
    calm = drifted(contract, tmp_path / "calm.csv")
    launched = drifted(contract, tmp_path / "launched.csv", share={"international_plan": 0.5})
    said = churn("drift", before, calm, launched)
    first, second, *columns = said.out.splitlines()
    assert said.code == 0
    assert "calm.csv: no drift (p = " in first
    assert "launched.csv: drift (p = " in second
    assert "international_plan (values): share of Yes" in columns[0]
    assert "log-odds" in columns[0]
    verdicts = churn("drift", before, calm, launched, "--json").json
    assert [(Path(v["file"]).name, v["alarm"]) for v in verdicts] == [("calm.csv", False), ("launched.csv", True)]
    assert churn("drift", before, calm, "--fail-on-drift").code == 0
    assert churn("drift", before, calm, launched, "--fail-on-drift").code == 1
    failed = churn("drift", before, launched, "--fail-on-drift", "--json")
    assert (failed.code, failed.json[0]["alarm"]) == (1, True)
    assert churn("drift", before, launched, tmp_path / "nothing.csv", "--fail-on-drift").code == 2


def test_drift_needs_no_outcomes_and_minds_no_broken_relations(churn: Churn, contract: Contract, tmp_path: Path) -> None:
    before = drifted(contract, tmp_path / "before.csv")
    after = drifted(contract, tmp_path / "after.csv", permute=("total_day_charge",))
    rows = lines_of(after)
    outcome = rows[0].index("Churn")
    rewritten(after, [row[:outcome] + row[outcome + 1 :] for row in rows])
    assert churn("drift", before, after).code == 0


def test_drift_says_which_file_it_cannot_read_and_judges_the_others(churn: Churn, customers: Path, tmp_path: Path) -> None:
    assert_one_line(churn("drift", customers, tmp_path / "nothing.csv"), 2, "nothing.csv")
    said = churn("drift", customers, tmp_path / "nothing.csv", customers, "--json")
    assert said.code == 2
    unread, judged = said.json
    assert "no such file" in unread["error"]
    assert judged["alarm"] is False
    assert_one_line(churn("drift", tmp_path / "nothing.csv", customers), 2, "nothing.csv")


def test_drift_compares_what_breaks_the_contract_instead_of_refusing_it(churn: Churn, customers: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_bytes(customers.read_bytes())
    rows = lines_of(broken)
    place = {name: rows[0].index(name) for name in ("State", "Account length", "Total day minutes")}
    for row in rows[1:]:
        row[place["State"]], row[place["Account length"]] = "Atlantis", "long"
    rewritten(broken, [[cell for n, cell in enumerate(row) if n != place["Total day minutes"]] for row in rows])
    verdict = churn("drift", customers, broken, "--json").json[0]
    found = {(r["feature"], r["aspect"]) for r in verdict["results"] if r["drifted"]}
    assert found == {("state", "values"), ("account_length", "missing"), ("total_day_minutes", "missing")}
    assert verdict["unreadable"] == {"account_length": 300}
    assert verdict["absent"] == ["total_day_minutes"]


def test_drift_of_a_file_without_rows_is_no_verdict_on_anything(churn: Churn, customers: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text(customers.read_text().splitlines()[0] + "\n")
    assert "no drift (it has no rows)" in churn("drift", customers, empty).out
    assert_one_line(churn("drift", empty, customers), 2, "empty.csv", "no rows")


def test_a_page_never_replaces_a_file_that_is_compared(churn: Churn, customers: Path) -> None:
    before = customers.read_bytes()
    assert_one_line(churn("drift", customers, customers, "--report", customers), 2, "is a file of customers")
    assert customers.read_bytes() == before
