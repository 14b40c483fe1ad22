"""Old records go, what the monitor still needs stays, and its cursors stay right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from churn.contract import load_contract
from churn.ids import new_id
from churn.store import retention
from churn.store.contacts.records import Contact
from churn.store.records import DecisionAction, DecisionKind, MonitorRun, Outcome, Prediction
from churn.store.retention import Pruned, prune
from churn.store.shadow import ShadowRow
from churn.store.store import Store
from churn.store.tables import outcomes, predictions, shadow_predictions

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTRACT = load_contract()


def at(day: int) -> datetime:
    return NOON + timedelta(days=day)


def predict(store: Store, *days: int, version: str = "1") -> None:
    store.write_predictions([Prediction(f"{version}-{day}", f"c{day}", at(day), version, 0.2, 0.5, False, {}) for day in days])


def label(store: Store, *days: int, version: str = "1") -> None:
    store.write_outcomes([Outcome(True, at(day), f"{version}-{day}") for day in days])


def judge(store: Store, version: str = "1") -> None:
    """Write a monitoring run that has judged everything there is."""
    span = store.find_span(version, after_seq=0, newest=1000)
    labelled = store.read_outcomes(version, after_outcome_seq=0, newest=1000)
    last = 0 if labelled.empty else int(labelled["outcome_seq"].max())
    until = datetime.fromtimestamp(0, UTC) if labelled.empty else labelled["requested_at"].max().to_pydatetime()
    assert store.write_monitor_run(
        MonitorRun(new_id(), NOON, version, span.last_seq, last, span.rows, len(labelled), False, False, {}, None, until)
    )


def left(store: Store, table: sa.Table = predictions) -> list[str]:
    with store.engine.connect() as connection:
        return sorted(connection.execute(sa.select(table.c.prediction_id)).scalars())


def test_contacts_go_when_their_effect_is_over(store: Store) -> None:
    store.write_contacts([Contact(at(day), customer_id="c") for day in (0, 1, 4, 5, 6)])
    assert prune(store.engine, at(5), contact_effect=timedelta(days=4), dry_run=True) == Pruned(contacts=1)
    assert prune(store.engine, at(5), contact_effect=timedelta(days=4)) == Pruned(contacts=1)
    assert prune(store.engine, at(5)) == Pruned(contacts=2)
    assert store.campaigns()[0].contacts == 5, "how many were ever stored"


def test_what_is_old_and_judged_goes_with_its_outcomes_and_nothing_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    predict(store, 0, 1, 2, 8, 3, 9)  # one came late, from a spool
    label(store, 1, 3, 9)
    store.write_shadow([ShadowRow(f"1-{day}", "2", 0.1, False, at(day)) for day in (0, 1, 2, 3, 9)])
    judge(store)
    counted: list[int] = []
    would = prune(store.engine, at(5), dry_run=True)
    assert left(store) == ["1-0", "1-1", "1-2", "1-3", "1-8", "1-9"]
    done = prune(store.engine, at(5), on_batch=lambda so_far: counted.append(so_far.predictions))
    assert would == done == Pruned(predictions=4, outcomes=2, shadow_predictions=4, kept_unjudged=0)
    assert counted == [2, 3, 4], "in bounded batches"
    assert (left(store), left(store, outcomes), left(store, shadow_predictions)) == (["1-8", "1-9"], ["1-9"], ["1-9"])
    assert prune(store.engine, at(5)) == Pruned()
    (noted,) = store.decisions(kind=DecisionKind.RETENTION)
    assert (noted.action, noted.evidence["predictions"], noted.evidence["before"]) == (
        DecisionAction.PRUNED,
        4,
        at(5).isoformat(),
    )


def test_what_no_monitoring_run_has_judged_is_kept_by_default(store: Store) -> None:
    predict(store, 0, 1)
    judge(store)
    predict(store, 2)  # not judged
    label(store, 0)  # an outcome that is not judged
    predict(store, 9)
    assert prune(store.engine, at(5)) == Pruned(predictions=1, kept_unjudged=2)
    assert left(store) == ["1-0", "1-2", "1-9"]
    assert prune(store.engine, at(5), even_unjudged=True) == Pruned(predictions=2, outcomes=1)
    assert left(store) == ["1-9"]


def test_an_outcome_that_is_too_young_to_be_judged_is_kept(store: Store) -> None:
    predict(store, 0, 1, 9)
    label(store, 1, 0)
    store.write_monitor_run(MonitorRun("r", NOON, "1", 3, 2, 3, 1, False, False, {}, None, at(0)))
    assert prune(store.engine, at(5)) == Pruned(predictions=1, outcomes=1, kept_unjudged=1)
    mature = (at(0), at(5))
    assert store.read_outcomes("1", after_outcome_seq=2, newest=9, mature=mature)["outcome_seq"].tolist() == [1]


def test_a_model_that_answers_no_more_is_not_waited_for(store: Store) -> None:
    predict(store, 0, 1, version="1")
    predict(store, 2, 9, version="2")
    assert prune(store.engine, at(5)) == Pruned(predictions=2, kept_unjudged=1)
    assert left(store) == ["2-2", "2-9"]


def test_the_monitor_goes_on_where_it_was_also_when_nothing_is_left(store: Store) -> None:
    predict(store, 0, 1, 2)
    label(store, 0, 1)
    judge(store)
    (run,) = store.monitor_runs()
    assert prune(store.engine, at(5)).predictions == 3
    assert left(store) == []
    predict(store, 3, 4)
    label(store, 3)
    assert store.find_span("1", after_seq=run.last_seq, newest=10).rows == 2, "numbers are not given again"
    assert len(store.read_outcomes("1", after_outcome_seq=run.last_outcome_seq, newest=10)) == 1


@pytest.mark.parametrize("judged", [True, False])
def test_the_count_of_outcomes_never_goes_back(store: Store, judged: bool) -> None:
    predict(store, 0, 1, 2, 9)
    label(store, 0, 1)
    if judged:
        judge(store)
    label(store, 2, 9)
    assert store.count_outcomes() == 4
    prune(store.engine, at(5), even_unjudged=True)
    assert left(store, outcomes) == ["1-9"]
    assert store.count_outcomes() == 4
    predict(store, 10)
    label(store, 10)
    assert store.count_outcomes() == 5
    judge(store, "1") if not judged else None
    assert store.count_outcomes() == 5


def test_an_outcome_for_what_was_removed_is_unknown(store: Store) -> None:
    predict(store, 0, 9)
    prune(store.engine, at(5), even_unjudged=True)
    assert store.write_outcomes([Outcome(True, NOON, "1-0"), Outcome(True, NOON, "1-9")]).unknown == [0]
