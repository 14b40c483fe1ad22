"""How predictions are written in bulk: all or none, each once, and with a write-ahead log that stays small."""

from __future__ import annotations

import pytest

from churn.contract import load_contract
from churn.errors import RowsRefused
from churn.ids import new_ids
from churn.store.records import PredictionRow
from churn.store.store import Store

CONTRACT = load_contract()


def rows(count: int, **changes: object) -> list[PredictionRow]:
    asked = "2026-01-02 03:04:05.000006"
    row = PredictionRow("", "c1", asked, "1", 0.1 + 0.2, 0.5, False, '{"state": "OH", "total_day_minutes": 0.1}')
    return [row._replace(prediction_id=one, **changes) for one in new_ids(count)]


def ids(store: Store) -> list[str]:
    found: list[str] = store.read_predictions(CONTRACT)["prediction_id"].tolist()
    return found


@pytest.mark.parametrize("count", [1, 2, 64, 65, 5_000])
def test_rows_are_read_back_as_they_were_written_in_their_order(store: Store, count: int) -> None:
    given = rows(count)
    store.write_rows(given)
    stored = store.read_predictions(CONTRACT)
    assert stored["prediction_id"].tolist() == [row.prediction_id for row in given]
    last = stored.iloc[-1]
    assert (last["churn_probability"], last["total_day_minutes"]) == (0.1 + 0.2, 0.1)
    assert last["requested_at"].isoformat() == "2026-01-02T03:04:05.000006+00:00"


def test_a_row_that_is_there_stays_as_it_is_and_the_others_are_added(store: Store) -> None:
    known, fresh = rows(2), rows(1)
    store.write_rows(known)
    store.write_rows([known[1]._replace(model_version="2"), *fresh, known[0]])
    assert ids(store) == [row.prediction_id for row in [*known, *fresh]]
    assert store.count_predictions(model_version="2") == 0


@pytest.mark.parametrize("place", [0, 1, 150])
def test_one_row_that_is_refused_keeps_all_from_being_stored(store: Store, place: int) -> None:
    given = rows(200)
    given[place] = given[place]._replace(model_version=None)  # type: ignore[arg-type]
    with pytest.raises(RowsRefused) as error:
        store.write_rows(given)
    assert "c1" not in str(error.value), "values do not belong into messages"
    assert ids(store) == []
    store.write_rows(rows(1))
    assert len(ids(store)) == 1
