"""Which intents are still open, told from the decisions that were recorded: in any order, whatever else is among them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.lifecycle.decision_log import COMPLETED, HISTORY, MAX_DECISIONS, MOVES, drop_closed_intents, open_intents
from churn.store.records import Decision, DecisionAction, DecisionKind


class Log:
    """Decisions in memory, newest first, as the store returns them."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self.kept = list(decisions)

    def lock(self, _name: str, _holder: str, /, *, timeout_seconds: float) -> AbstractContextManager[object]:
        return nullcontext(timeout_seconds)

    def write_decision(self, decision: Decision, /) -> None:
        self.kept.insert(0, decision)

    def decisions(self, *, kind: tuple[DecisionKind, ...], limit: int) -> list[Decision]:
        return [one for one in self.kept if one.kind in kind][:limit]


def intent(action: DecisionAction = DecisionAction.PROMOTION) -> Decision:
    return Decision(DecisionKind.INTENT, action, "ana@host", "about to", "2")


def closing(opened: Decision) -> Decision:
    kind, action = COMPLETED[opened.action]
    return Decision(kind, action, "ana@host", "done", "2", {"intent": opened.decision_id})


@pytest.mark.parametrize("action", list(COMPLETED))
def test_an_intent_is_open_until_what_it_announced_is_recorded(action: DecisionAction) -> None:
    log, opened = Log([]), intent(action)
    assert open_intents(log) == []
    log.write_decision(opened)
    assert open_intents(log) == [opened]
    done = closing(opened)
    log.write_decision(done)
    assert open_intents(log) == []
    assert done.kind in MOVES


def test_an_intent_that_failed_is_no_longer_open() -> None:
    opened = intent()
    failed = Decision(DecisionKind.INTENT, DecisionAction.FAILED, "ana@host", "it broke", "2", {"intent": opened.decision_id})
    assert open_intents(Log([failed, opened])) == []


def test_other_decisions_neither_are_intents_nor_hide_them() -> None:
    opened = intent()
    others = [Decision(DecisionKind.GATE, DecisionAction.PASSED, "gate", "better", "2") for _ in range(2 * MAX_DECISIONS)]
    promoted = Decision(DecisionKind.PROMOTION, DecisionAction.PROMOTED, "ana@host", "by hand", "3")
    assert open_intents(Log([promoted, *others, opened])) == [opened]


def test_the_history_shows_what_moves_the_champion() -> None:
    assert set(HISTORY) == {DecisionKind.INTENT, DecisionKind.GATE, DecisionKind.PROMOTION, DecisionKind.ROLLBACK}


@given(st.lists(st.booleans(), max_size=8), st.randoms(use_true_random=False))
def test_in_any_order_only_the_closed_intents_are_left_out(closed: list[bool], order: random.Random) -> None:
    intents = [intent() for _ in closed]
    decisions = [*intents, *(closing(one) for one, done in zip(intents, closed, strict=True) if done)]
    order.shuffle(decisions)
    gone = {one.decision_id for one, done in zip(intents, closed, strict=True) if done}
    assert drop_closed_intents(decisions) == [one for one in decisions if one.decision_id not in gone]
