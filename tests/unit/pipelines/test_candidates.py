"""The customers of a file who are worth a call: all of them, each once, and of the others what they would have brought."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.batch import log_rows
from churn.batch.plan import Terms, make_plan
from churn.campaigns.expected import expect
from churn.config.params import ProfitParams
from churn.errors import InputError
from pipelines import candidates as module
from pipelines.candidates import Candidates, find_candidates
from tests.integration.files_to_score import customers, make_scorer

# A call costs much, so that it pays for some only.
PROFIT = ProfitParams(cost_of_contact=15.0)
SCORER = make_scorer()


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: 1)
    # Several chunks a file.
    monkeypatch.setattr(log_rows, "CHUNK_ROWS", 40)


def found_in(folder: Path, table: Any, profit: ProfitParams = PROFIT, told: list[int] | None = None) -> Candidates:
    pq.write_table(table, folder / "in.parquet")
    plan = make_plan(folder / "in.parquet", SCORER.model.digest, Terms())
    return find_candidates(SCORER, plan, Terms(), profit, (told if told is not None else []).append)


def renamed(table: Any, ids: list[str | None]) -> Any:
    return table.set_column(table.column_names.index("customer_id"), "customer_id", pa.array(ids, pa.string()))


def test_who_is_worth_a_call_is_kept_and_of_all_others_only_their_gain(tmp_path: Path) -> None:
    told: list[int] = []
    table = customers(150)
    found = found_in(tmp_path, table, told=told)
    probabilities = SCORER.probabilities(_read(tmp_path))
    gain = expect(probabilities, np.full(150, float(PROFIT.customer_value)), PROFIT).gain
    worth = np.flatnonzero(gain > 0)
    assert 0 < len(worth) < 150
    assert found.ids == [table["customer_id"][int(at)].as_py() for at in worth]
    assert found.probability.tolist() == probabilities[worth].tolist()
    assert found.value.tolist() == [float(PROFIT.customer_value)] * len(worth)
    assert len(found.customers) == len(worth)
    assert sorted(found.others_gain.tolist()) == sorted(gain[gain <= 0].tolist())
    assert (found.rows, found.usual_value) == (150, 150)
    assert (sum(told), len(told)) == (150, 4)


def _read(folder: Path) -> Any:
    plan = make_plan(folder / "in.parquet", SCORER.model.digest, Terms())
    parts = [chunk.customers for chunk in log_rows.chunks(SCORER, plan, Terms(), 1, 0)]
    return type(parts[0]).joined(parts)


def test_without_anybody_worth_it_the_best_of_the_others_is_still_known(tmp_path: Path) -> None:
    dear = PROFIT.model_copy(update={"cost_of_contact": 1_000_000.0})
    found = found_in(tmp_path, customers(50), dear)
    assert (found.ids, len(found.customers), len(found.others_gain)) == ([], 0, 50)
    assert found.others_gain.max() < 0


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (["a", None, "c"], "customer 2 of the file has no id: whoever is to be called needs one"),
        (["a", "b", "a"], "two customers of the file have the id 'a': whom would a call reach"),
    ],
)
def test_everybody_needs_an_id_of_their_own(tmp_path: Path, ids: list[str | None], said: str) -> None:
    with pytest.raises(InputError, match=said):
        found_in(tmp_path, renamed(customers(3), ids))


def test_an_id_that_is_there_twice_is_found_across_chunks(tmp_path: Path) -> None:
    ids: list[str | None] = [f"c{n}" for n in range(100)]
    assert found_in(tmp_path, renamed(customers(100), ids)).rows == 100
    ids[99] = "c0"
    with pytest.raises(InputError, match="some id is there twice in the file"):
        found_in(tmp_path, renamed(customers(100), ids))


def test_a_file_without_ids_names_the_first_customer(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="customer 1 of the file has no id"):
        found_in(tmp_path, customers(5).drop_columns(["customer_id"]))


def test_a_file_without_customers_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no customer"):
        found_in(tmp_path, customers(5).slice(0, 0))
