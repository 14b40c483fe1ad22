"""A monitor that could not run is itself an alarm: silence would look like calm."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from churn.clock import CLOCK_SKEW, now
from churn.config.settings import load_settings
from churn.errors import StoreError
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from monitoring.outbox import record_sent
from pipelines.flows.events import send

# Before the first training there is nothing to monitor, and nobody is paged for that.
NOTHING_YET = "NoModel"


def record_failure(flow: Any, flow_run: Any, state: Any) -> None:
    """Decide to page because a monitoring run did not come to its end: once for a failure, however often it comes in a row.

    If the store is what is away, the page is sent without being recorded, and again after every run.

    Parameters
    ----------
    flow : prefect.Flow
        Not used; Prefect passes it.
    flow_run : prefect.client.schemas.FlowRun
        Not used; Prefect passes it.
    state : prefect.State
        How the run ended, with the failure's message.
    """
    del flow, flow_run
    message = str(state.message or state.name)
    if NOTHING_YET in message:
        return
    settings = load_settings()
    decision = Decision(
        DecisionKind.POLICY, DecisionAction.PAGE, "monitor", f"the monitor could not run: {message}", None, {"failure": message}
    )
    store = _open(settings.store_url)
    try:
        # One that is stored and not sent is sent by the next run that goes well.
        if _write_once(store, decision) and send(settings.model_name, decision) and store is not None:
            with suppress(StoreError):
                record_sent(store, decision)
    finally:
        if store is not None:
            store.close()


def _open(store_url: str) -> Store | None:
    try:
        return Store.open(store_url)
    except StoreError:
        return None


def _write_once(store: Store | None, decision: Decision) -> bool:
    """Write the decision, unless the newest of the monitor says the same; return whether somebody has to be paged."""
    if store is None:
        return True
    try:
        # Every run that goes well decides something: then the same failure is a new one.
        newest = store.decisions(kind=DecisionKind.POLICY, until=now() + CLOCK_SKEW, limit=1)
        if newest and newest[0].evidence.get("failure") == decision.evidence["failure"]:
            return False
        store.write_decision(decision)
    except StoreError:
        return True
    return True
