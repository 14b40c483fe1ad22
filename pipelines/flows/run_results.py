"""Record how each flow run ended, so that a flow that fails, or does not run at all, is seen from outside."""

from __future__ import annotations

import logging
from typing import Any

from churn.clock import now
from churn.config.settings import load_settings
from churn.errors import ChurnError
from churn.store.store import Store

logger = logging.getLogger(__name__)


def note_end(flow: Any, flow_run: Any, state: Any) -> None:
    """Record the end of a run. If the store is away this is only logged: the gap in the counts shows it too.

    Parameters
    ----------
    flow : Flow
    flow_run : FlowRun
    state : State
        How it ended.
    """
    ended = now()
    started = flow_run.start_time or flow_run.expected_start_time or ended
    failure = "" if state.is_completed() else str(state.message or state.name)
    try:
        store = Store.open(load_settings().store_url)
        try:
            store.write_flow_run(flow.name, seconds=max(0.0, (ended - started).total_seconds()), failure=failure, at=ended)
        finally:
            store.close()
    except ChurnError as error:
        logger.warning("the end of %s could not be written down: %s", flow.name, error)
