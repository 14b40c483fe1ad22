from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import timedelta
from uuid import UUID

import pytest

from churn.clock import now
from churn.ids import new_id
from churn.store.records import Decision, DecisionAction, DecisionKind, OutcomeReceipt


def test_ids_are_uuids_of_version_7_that_sort_by_birth() -> None:
    ids = [new_id() for _ in range(2000)]
    assert {UUID(text).version for text in ids} == {7}
    assert len(set(ids)) == 2000
    assert ids == sorted(ids)
    assert {len(text) for text in ids} == {36}


def test_now_knows_its_zone() -> None:
    assert now().utcoffset() == timedelta(0)


def test_each_decision_has_its_own_id_evidence_and_time() -> None:
    before = now()
    first, second = (Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "calm") for _ in range(2))
    assert first.decision_id != second.decision_id
    assert first.evidence is not second.evidence
    assert before <= first.decided_at <= second.decided_at <= now()


def test_what_is_recorded_is_not_changed_afterwards() -> None:
    with pytest.raises(FrozenInstanceError):
        Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "calm").action = "retrain"  # type: ignore[misc]


def test_receipts_do_not_share_their_lists() -> None:
    OutcomeReceipt().unknown.append(1)
    assert OutcomeReceipt().unknown == []
