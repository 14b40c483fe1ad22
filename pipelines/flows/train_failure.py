"""A training that did not come to its end has one in the store all the same: the policy waits for it."""

from __future__ import annotations

from typing import Any

from churn.config.settings import load_settings
from churn.lifecycle.training_runs import has_ended, record_end
from churn.store.records import DecisionAction
from churn.store.store import Store


def record_failure(flow: Any, flow_run: Any, state: Any) -> None:
    """Record that a training did not finish; nothing if its end is recorded, and only Prefect does not know of it.

    Parameters
    ----------
    flow : Flow
    flow_run : FlowRun
    state : State
        How it ended.
    """
    del flow
    settings = load_settings()
    store = Store.open(settings.store_url)
    try:
        training, trigger = str(flow_run.id), str((flow_run.parameters or {}).get("trigger", "manual"))
        if not has_ended(store, training):
            record_end(store, training, trigger, DecisionAction.FAILED, str(state.message or state.name))
    finally:
        store.close()
