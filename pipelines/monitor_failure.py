"""A monitor that could not run is itself an alarm: silence would look like calm."""

from __future__ import annotations

from typing import Any

from prefect.events import emit_event

from churn.errors import StoreError
from churn.records import Decision
from churn.settings import load_settings
from churn.store import Store

PAGE_EVENT = "churn.monitor.page"
# Before the first training there is nothing to monitor, and nobody is to be woken for that.
NOTHING_YET = "NoModel"


def page(model_name: str, decision: Decision) -> None:
    """Wake somebody: say it to whoever listens."""
    emit_event(
        event=PAGE_EVENT,
        resource={"prefect.resource.id": f"churn.model.{model_name}", "prefect.resource.name": model_name},
        payload={"reason": decision.reason, "decision_id": decision.decision_id},
    )


def record_failure(flow: Any, flow_run: Any, state: Any) -> None:
    """Decide to page because a look did not come to its end: once for a failure, however often it comes in a row.

    If the store is what is away, the page goes out without being written down, and again at every look.
    """
    del flow, flow_run
    told = str(state.message or state.name)
    if NOTHING_YET in told:
        return
    settings = load_settings()
    decision = Decision("policy", "page", "monitor", f"the monitor could not run: {told}", None, {"failure": told})
    if _write_once(settings.store_url, decision):
        page(settings.model_name, decision)


def _write_once(store_url: str, decision: Decision) -> bool:
    """Write the decision, unless the newest of the monitor says the same; tell whether somebody has to be woken."""
    try:
        store = Store.open(store_url)
    except StoreError:
        return True
    try:
        # Every look that goes well decides something: then the same failure is a new one.
        newest = store.decisions(kind="policy", limit=1)
        if newest and newest[0].evidence.get("failure") == decision.evidence["failure"]:
            return False
        store.write_decision(decision)
    except StoreError:
        return True
    finally:
        store.close()
    return True
