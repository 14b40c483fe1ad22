"""Send what the monitor decided as Prefect's events, and wait until the server has accepted each."""

from __future__ import annotations

import logging

from prefect.events import Event, Resource

from churn.errors import StoreError
from churn.store.records import Decision, DecisionAction
from churn.store.store import Store
from monitoring.outbox import record_sent
from pipelines.flows.prefect_api import PREFECT_API_ERRORS, prefect_client

RETRAIN_EVENT, PAGE_EVENT = "churn.retrain.wanted", "churn.monitor.page"
EVENTS = {DecisionAction.RETRAIN: RETRAIN_EVENT, DecisionAction.PAGE: PAGE_EVENT}
logger = logging.getLogger(__name__)


def send(model_name: str, decision: Decision) -> bool:
    """Send what a decision asks for. A server that is away is no error: the event is sent again later.

    Parameters
    ----------
    model_name : str
    decision : Decision

    Returns
    -------
    bool
        Whether the server accepted it.
    """
    event = Event(
        event=EVENTS[decision.action],
        resource=Resource({"prefect.resource.id": f"churn.model.{model_name}", "prefect.resource.name": model_name}),
        payload={
            "reason": "drift" if decision.action == DecisionAction.RETRAIN else decision.reason,
            "detail": decision.reason,
            "decision_id": decision.decision_id,
            "run_id": str(decision.evidence.get("run_id", "")),
        },
    )
    try:
        with prefect_client() as client:
            client.request("POST", "/events", json=[event.model_dump(mode="json")]).raise_for_status()
    except (*PREFECT_API_ERRORS, ValueError) as error:  # ValueError: something that is no Prefect server answered
        logger.warning(
            "%s was decided, but could not be sent, and is sent again by the next monitoring run: %s", decision.action, error
        )
        return False
    return True


def send_and_note(store: Store, model_name: str, decision: Decision) -> bool:
    """Send what a decision asks for, and record that it was sent.

    Parameters
    ----------
    store : Store
    model_name : str
    decision : Decision

    Returns
    -------
    bool
        Whether the server accepted it.
    """
    if not send(model_name, decision):
        return False
    try:
        record_sent(store, decision)
    except StoreError as error:
        logger.warning("%s was sent, and is sent once more by the next monitoring run: %s", decision.action, error)
    return True
