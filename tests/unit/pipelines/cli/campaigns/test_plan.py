"""`churn campaign plan`: who is called, who is left out, and what is in the store afterwards."""

from __future__ import annotations

import csv
import os
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml

from churn.batch.log import FileLog
from churn.campaigns.control_group import ControlGroup
from churn.campaigns.expected import expect
from churn.clock import now
from churn.config.params import ProfitParams
from churn.errors import Busy
from churn.evaluation.profit import break_even
from churn.store.contacts.records import Contact
from churn.store.locks.lock import HeldLock
from churn.store.store import Store
from pipelines import scoring as scoring_module
from pipelines.cli.campaigns import plan as campaign_plan
from tests.integration.files_to_score import CONTRACT, customers, make_scorer
from tests.unit.pipelines.cli.command import Churn, assert_one_line

PROFIT = ProfitParams()
CONTROL = ControlGroup(0.1)
DRAW = campaign_plan._drawn
COLUMNS = ["rank", "customer_id", "churn_probability", "value", "expected_gain", "reasons"]


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_module, "find_scorer", lambda _settings, contract, version: scorer_of(contract, version))


@pytest.fixture(autouse=True)
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be drawn, which takes a second; one test draws."""
    asked: list[Any] = []

    def drawn(*given: Any) -> AbstractContextManager[None]:
        asked.append(given)
        return nullcontext()

    monkeypatch.setattr(campaign_plan, "_drawn", drawn)
    return asked


def scorer_of(contract: Any, version: str = "1") -> Any:
    scorer = make_scorer("1" if version == "champion" else version, control=CONTROL)
    return replace(scorer, model=replace(scorer.model, contract=contract))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    pa.csv.write_csv(customers(600), tmp_path / "in.csv")
    return tmp_path / "in.csv"


def opened() -> Store:
    return Store.open("sqlite:///home/store.db")


def planned(churn: Churn, *more: object, source: object = "in.csv", output: str = "out.csv") -> Any:
    said = churn("campaign", "plan", source, output, "--name", "may", "--json", *more)
    assert said.code == 0, said.err
    return said.json


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_best_are_called_first_and_nobody_of_the_control_group(churn: Churn, source: Path, tmp_path: Path) -> None:
    told = planned(churn)
    rows = rows_of(tmp_path / "out.csv")
    assert list(rows[0]) == COLUMNS
    assert [int(row["rank"]) for row in rows] == list(range(1, told["calls"] + 1))
    gains = [float(row["expected_gain"]) for row in rows]
    assert gains == sorted(gains, reverse=True)
    assert min(gains) >= 0
    # The same line between worth it and not as the threshold's, by a path of its own.
    table = customers(600)
    probability = scorer_of(CONTRACT).probabilities(_columns(source))
    worth = {name for name, p in zip(table["customer_id"].to_pylist(), probability, strict=True) if p > break_even(PROFIT)}
    held_out = {name for name in worth if CONTROL.has(name)}
    assert {row["customer_id"] for row in rows} == worth - held_out
    assert held_out
    assert told["left_out"] == {"control_group": len(held_out), "opted_out": 0, "contacted_lately": 0}
    assert (told["customers"], told["worth_a_call"], told["usual_value"]) == (600, len(worth), 600)
    assert told["gain"] == pytest.approx(sum(gains), abs=0.005 * len(gains))
    assert told["gain"] == pytest.approx(told["saved"] * PROFIT.customer_value - told["cost"])
    assert all("raises the risk" in row["reasons"] for row in rows[:20])


def test_where_the_picture_cannot_be_written_there_is_no_list_either(
    churn: Churn, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_plan, "_drawn", DRAW)
    said = churn("campaign", "plan", source, "out.csv", "--name", "may", "--picture", "/dev/full")
    assert_one_line(said, 2, "/dev/full: cannot be written")
    assert not (tmp_path / "out.csv").exists()
    with closing(opened()) as store:
        assert store.campaign_members("may") == set()


def test_the_gains_curve_is_a_picture_beside_the_list(churn: Churn, source: Path, tmp_path: Path, pictures: list[Any]) -> None:
    told = planned(churn, "--top", 9)
    (given,) = pictures
    curve = given[0].curve
    assert (curve.calls[0], curve.gain[0]) == (0, 0)
    assert curve.calls[-1] == 600 - sum(told["left_out"].values())
    assert curve.gain[list(curve.calls).index(9)] == pytest.approx(told["gain"])
    assert int(np.argmax(curve.gain)) == told["worth_a_call"] - told["left_out"]["control_group"]
    with DRAW(*given):
        assert not Path("out.png").exists(), "it comes with the list, and not before"
    assert Path(told["picture"]) == Path("out.png")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def _columns(source: Path) -> Any:
    from tests.unit.churn.batch.scoring import RULES, read_csv

    return read_csv(source.read_bytes(), RULES, 10**6)


def test_every_format_that_is_scored_gives_the_same_list(churn: Churn, source: Path, tmp_path: Path) -> None:
    planned(churn, "--dry-run")
    table = customers(600)
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=100)
    (tmp_path / "folder").mkdir()
    pq.write_table(table.slice(0, 250), tmp_path / "folder" / "a.parquet")
    pq.write_table(table.slice(250), tmp_path / "folder" / "b.parquet")
    with pa.CompressedOutputStream(str(tmp_path / "in.csv.gz"), "gzip") as file:
        pa.csv.write_csv(table, file)
    for name in ("in.parquet", "folder", "in.csv.gz"):
        planned(churn, "--dry-run", source=name, output="other.csv")
        assert (tmp_path / "other.csv").read_bytes() == (tmp_path / "out.csv").read_bytes(), name
    planned(churn, "--dry-run", output="out.parquet")
    written = pq.read_table(tmp_path / "out.parquet")
    assert [{name: str(value) for name, value in row.items()} for row in written.to_pylist()] == rows_of(tmp_path / "out.csv")


def test_who_opted_out_or_was_contacted_lately_is_left_out_and_counted_once(churn: Churn, source: Path, tmp_path: Path) -> None:
    first = [row["customer_id"] for row in rows_of(_listed(churn, tmp_path))]
    store = opened()
    at = now()
    store.write_contacts(
        [
            Contact(at, customer_id=first[0], opt_out=True),
            Contact(at - timedelta(days=89), customer_id=first[0], campaign="april"),
            Contact(at - timedelta(days=89), customer_id=first[1], campaign="april"),
            Contact(at - timedelta(days=91), customer_id=first[2], campaign="april"),
        ]
    )
    store.close()
    told = planned(churn)
    assert (told["left_out"]["opted_out"], told["left_out"]["contacted_lately"]) == (1, 1)
    assert [row["customer_id"] for row in rows_of(tmp_path / "out.csv")] == first[2:]


def _listed(churn: Churn, tmp_path: Path) -> Path:
    planned(churn, "--dry-run", output="all.csv")
    return tmp_path / "all.csv"


def test_the_same_plan_again_adds_nothing_and_another_of_that_name_is_refused(churn: Churn, source: Path, tmp_path: Path) -> None:
    half_written = tmp_path / ".writing-by-one-that-was-killed"
    half_written.write_text("customers")
    os.utime(half_written, (0, 0))
    told = planned(churn, "--top", 20)
    assert not half_written.exists()
    assert (told["calls"], told["contacts_written"], told["planned_before"]) == (20, 20, False)
    again = planned(churn, "--top", 20)
    assert (again["contacts_written"], again["planned_before"]) == (0, True)
    store = opened()
    (campaign,) = store.campaigns()
    assert (campaign.name, campaign.contacts, store.count_predictions()) == ("may", 20, 600)
    store.close()
    assert_one_line(churn("campaign", "plan", "in.csv", "new.csv", "--name", "may"), 2, "with other customers: 20, of whom 20")
    assert not (tmp_path / "new.csv").exists()
    assert_one_line(churn("campaign", "plan", "in.csv", "out.csv", "--name", "june"), 2, "out.csv: is there", "--overwrite")
    assert churn("campaign", "report", "may").code == 0


def test_nobody_counts_as_called_once_the_lock_is_lost(churn: Churn, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_lock: HeldLock) -> None:
        raise Busy("campaign", "somebody else")

    monkeypatch.setattr(HeldLock, "confirm", lost)
    # Of the log, too: it is written where it was not lost.
    monkeypatch.setattr(FileLog, "write", lambda *_given: None)
    assert_one_line(churn("campaign", "plan", "in.csv", "out.csv", "--name", "may"), 1, "somebody else")
    store = opened()
    assert store.campaigns() == []
    store.close()


def test_a_dry_run_leaves_the_store_as_it_was(churn: Churn, source: Path) -> None:
    assert planned(churn, "--dry-run")["contacts_written"] == 0
    store = opened()
    assert (store.campaigns(), store.count_predictions()) == ([], 0)
    store.close()


def test_the_store_has_pseudonyms_and_the_list_has_names(
    churn: Churn, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_PSEUDONYM_KEY", "a key of sixteen or more")
    first = rows_of(_listed(churn, tmp_path))[0]["customer_id"]
    assert churn("campaign", "opt-out", first).code == 0
    assert planned(churn)["left_out"]["opted_out"] == 1
    assert planned(churn)["planned_before"]
    store = opened()
    assert not store.campaign_members("may") & {row["customer_id"] for row in rows_of(tmp_path / "out.csv")}
    store.close()


def test_a_budget_pays_for_the_first_calls(churn: Churn, source: Path) -> None:
    everybody = planned(churn, "--dry-run")
    some = planned(churn, "--dry-run", "--budget", 100, output="some.csv")
    one = some["cost"] / some["calls"]
    assert 100 - 2 * one < some["cost"] <= 100
    assert some["gain"] / some["calls"] > everybody["gain"] / everybody["calls"]
    too_little = churn("campaign", "plan", "in.csv", "none.csv", "--name", "may", "--budget", 0.5)
    assert_one_line(too_little, 2, "the budget pays for no call: the first is expected to cost")


def value_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = yaml.safe_load(resources.files("churn").joinpath("contracts", "telecom.yaml").read_text())
    document["columns"].append({"name": "worth", "source": "Worth", "kind": "number", "role": "value", "minimum": 0})
    (tmp_path / "valued.yaml").write_text(yaml.safe_dump(document))
    monkeypatch.setenv("CHURN_CONTRACT", str(tmp_path / "valued.yaml"))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_customers_are_ranked_by_their_own_value(
    churn: Churn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    value_contract(tmp_path, monkeypatch)
    worth: list[float | None] = np.random.default_rng(3).integers(0, 2_000, 600).astype(float).tolist()
    worth[0] = None
    table = customers(600).append_column("Worth", pa.array(worth, pa.float64()))
    if ending == "csv":
        pa.csv.write_csv(table, tmp_path / "in.csv")
    else:
        pq.write_table(table, tmp_path / "in.parquet")
    told = planned(churn, source=f"in.{ending}")
    assert told["usual_value"] == 1
    assert told["below_threshold"] > 0
    by_id = dict(zip(table["customer_id"].to_pylist(), worth, strict=True))
    rows = rows_of(tmp_path / "out.csv")
    assert all(float(row["value"]) == by_id[row["customer_id"]] for row in rows if row["customer_id"] != "c-1-0")
    chance, value, gain = (np.array([float(row[name]) for row in rows]) for name in COLUMNS[2:5])
    assert expect(chance, value, PROFIT).gain == pytest.approx(gain, abs=0.01)
    assert list(gain) == sorted(gain, reverse=True)
    store = opened()
    with store.engine.connect() as connection:
        (features, *_) = connection.exec_driver_sql("SELECT features FROM predictions").scalars()
    store.close()
    assert "total_day_minutes" in features
    assert "worth" not in features, "no log holds what a customer is worth"
    # A value alone makes nobody a customer.
    empty = pa.table({n: pa.nulls(1, k.type) for n, k in zip(table.column_names, table.schema, strict=True)})
    nobody = empty.set_column(0, "customer_id", pa.array(["x"])).set_column(table.num_columns - 1, "Worth", pa.array([9.0]))
    pq.write_table(pa.concat_tables([table, nobody.cast(table.schema)]), tmp_path / "empty.parquet")
    assert_one_line(churn("campaign", "plan", "empty.parquet", "e.csv", "--name", "x"), 2, "'x': empty customer")


def test_a_file_without_the_value_that_the_contract_promises_is_refused(
    churn: Churn, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value_contract(tmp_path, monkeypatch)
    assert_one_line(churn("campaign", "plan", "in.csv", "o.csv", "--name", "x"), 2, "'worth': column is missing")


def wrong(table: Any, ids: list[str | None]) -> Any:
    return table.set_column(0, "customer_id", pa.array(ids, pa.string()))


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (["a", None, "b"], "customer 2 of the file has no id"),
        (["a", "b", "a"], "two customers of the file have the id 'a'"),
        (None, "customer 1 of the file has no id"),
    ],
)
def test_ids_that_are_missing_or_double_are_refused(
    churn: Churn, tmp_path: Path, ids: list[str | None] | None, words: str
) -> None:
    table = customers(3)
    pq.write_table(table.drop_columns(["customer_id"]) if ids is None else wrong(table, ids), tmp_path / "in.parquet")
    assert_one_line(churn("campaign", "plan", "in.parquet", "out.csv", "--name", "may"), 2, words)
    assert not (tmp_path / "out.csv").exists()


def test_an_id_that_comes_again_far_away_is_refused(churn: Churn, tmp_path: Path) -> None:
    pq.write_table(pa.concat_tables([customers(2_500), customers(1)]), tmp_path / "in.parquet")
    assert_one_line(churn("campaign", "plan", "in.parquet", "out.csv", "--name", "may"), 2, "some id is there twice")


def test_costs_are_those_of_the_model_and_nothing_that_is_worth_a_call_is_said(
    churn: Churn, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params.yaml").write_text("profit: {cost_of_contact: 5000}\n")
    assert planned(churn, "--dry-run")["calls"] > 0, "what params.yaml says now is for the next training"

    def dear(_settings: object, contract: Any, version: str) -> Any:
        scorer = scorer_of(contract, version)
        return replace(scorer, model=replace(scorer.model, profit=ProfitParams(cost_of_contact=5_000)))

    monkeypatch.setattr(scoring_module, "find_scorer", dear)
    (tmp_path / "out.csv").unlink()
    assert_one_line(
        churn("campaign", "plan", "in.csv", "out.csv", "--name", "may"), 2, "nobody is worth a call", "should bring -"
    )


def test_names_that_are_formulas_are_none_in_the_list(churn: Churn, tmp_path: Path) -> None:
    table = customers(40)
    pq.write_table(wrong(table, [f"=cmd|{n}" for n in range(40)]), tmp_path / "in.parquet")
    planned(churn, source="in.parquet")
    assert all(row["customer_id"].startswith("'=cmd|") for row in rows_of(tmp_path / "out.csv"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("in.csv", "out.xlsx", "--name", "may"), "is a .csv or .parquet file"),
        (("in.csv", "in.csv", "--name", "may"), "is the file of customers"),
        (("in.csv", "out.csv", "--name", " may"), "--name must have 1 to 128 characters"),
        (("in.csv", "out.csv", "--name", "x" * 129), "--name must have 1 to 128 characters"),
        (("in.csv", "out.csv", "--name", "may\n"), "--name must have 1 to 128 characters"),
        (("in.csv", "out.csv", "--name", "may", "--top", 1, "--budget", 2), "give one of them"),
        (("in.csv", "out.csv", "--name", "may", "--picture", "in.csv"), "in.csv: the picture needs a file of its own"),
        (("in.csv", "out.csv", "--name", "may", "--picture", "./out.csv"), "out.csv: the picture needs a file of its own"),
        (("in.csv", "no/out.csv", "--name", "may"), "cannot be written"),
        (("none.csv", "out.csv", "--name", "may"), "no such file"),
    ],
)
def test_wrong_arguments_are_told_in_a_line(churn: Churn, source: Path, arguments: tuple[object, ...], words: str) -> None:
    assert_one_line(churn("campaign", "plan", *arguments), 2, words)


@pytest.mark.parametrize("name", ["in.csv", "in.parquet"])
def test_a_file_without_customers_is_refused(churn: Churn, tmp_path: Path, name: str) -> None:
    table = customers(3).slice(0, 0)
    if name.endswith(".csv"):
        pa.csv.write_csv(table, tmp_path / name)
    else:
        pq.write_table(table, tmp_path / name)
    assert_one_line(churn("campaign", "plan", name, "out.csv", "--name", "may"), 2, "in.")
    assert not (tmp_path / "out.csv").exists()
