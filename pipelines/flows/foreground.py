"""Run a flow in this process, for a command: what the flow did counts, whatever becomes of Prefect's server meanwhile.

Prefect tells its server of the end of a run after the flow's function has returned. If the server is gone by then, Prefect's
engine raises its client's error in the place of the flow's own result, and calls no hook: a version that is champion would look
like a training that failed.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from copy import copy
from typing import Any

from prefect import Flow, State
from prefect.context import FlowRunContext
from prefect.events.clients import PrefectEventsClient
from prefect.events.worker import EventsWorker, emit_events_to_cloud, should_emit_events_to_running_server
from prefect.exceptions import CancelledRun, PrefectHTTPStatusError
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Completed, Failed
from sqlalchemy.exc import SQLAlchemyError

from churn.errors import ChurnError
from churn.one_line import one_line
from pipelines.flows.prefect_api import EPHEMERAL, is_unreachable

logger = logging.getLogger(__name__)
AWAY = "Prefect's server does not answer"
# Somebody waits for a command. Prefect's client tries five times more, for over a minute a call; and each of a run's events, of
# which a training has some twenty, ten times more, for eight seconds, before the process ends.
CALL_RETRIES, EVENT_RETRIES = 2, 1
CALL_RETRIES_SETTING = "PREFECT_CLIENT_MAX_RETRIES"


def run_here(flow: Flow[..., Any], warn: Callable[[str], None] = logger.warning, **parameters: Any) -> Any:
    """Run a flow once, in this process.

    Parameters
    ----------
    flow : Flow
    warn : callable
        Called with a sentence if the flow came to its end and Prefect could not note it.
    **parameters
        The flow's.

    Returns
    -------
    object
        What the flow returned.

    Raises
    ------
    ChurnError
        The flow's own; or that Prefect's server was away before it began.
    prefect.exceptions.CancelledRun
        If the flow returned the state `Cancelled`.
    """
    watched, ended = _watch(flow)
    _limit_events()
    try:
        with temporary_settings({} if CALL_RETRIES_SETTING in os.environ else {PREFECT_CLIENT_MAX_RETRIES: CALL_RETRIES}):
            return watched(**parameters)
    except Exception as error:
        if not ended:
            if (reason := _why_it_did_not_begin(flow.name, error)) is not None:
                raise ChurnError(reason) from error
            raise
        end = ended[-1]
        if error is end.error or isinstance(error, CancelledRun):
            raise
        end.call_hooks(flow)
        if end.error is not None:
            raise end.error from error
        why = AWAY if is_unreachable(error) else f"Prefect could not note the end ({type(error).__name__}: {one_line(error)})"
    warn(f"{why}: its record of this run of {flow.name} has no end, but the run came to its own")
    if isinstance(end.result, State):
        raise CancelledRun(str(end.result.message))
    return end.result


def _watch(flow: Flow[..., Any]) -> tuple[Flow[..., Any], list[_End]]:
    """Return a copy of a flow, and the list to which it adds how its function ended: empty until then."""
    ended: list[_End] = []

    @functools.wraps(flow.fn)
    def noted(*given: Any, **named: Any) -> Any:
        try:
            result = flow.fn(*given, **named)
        except BaseException as error:
            ended.append(_End(error=error))
            raise
        ended.append(_End(result))
        return result

    watched = copy(flow)
    watched.fn = noted
    return watched, ended


def _why_it_did_not_begin(name: str, error: Exception) -> str | None:
    """Return the fault of Prefect's server for which a flow did not begin; None if the error is of another kind."""
    if EPHEMERAL in str(error):
        home = os.environ.get("PREFECT_HOME", "PREFECT_HOME")
        return (
            f"Prefect's server did not start, and {name} did not begin: is there room in {home}, and may it be "
            "written? (prefect server start says more)"
        )
    if is_unreachable(error):
        return f"{AWAY}, and {name} did not begin: is churn up running? (churn status)"
    # Of the server, or of one that Prefect starts in this process.
    if isinstance(error, PrefectHTTPStatusError | SQLAlchemyError):
        return f"Prefect's server fails, and {name} did not begin: {one_line(error)} (is its disk full?)"
    return None


def _limit_events() -> None:
    """Let events go that a server does not take. (One of its own Prefect starts and ends by itself.)"""
    if should_emit_events_to_running_server() and not emit_events_to_cloud():
        EventsWorker.set_client_override(PrefectEventsClient, reconnection_attempts=EVENT_RETRIES)


class _End:
    """How a flow's function ended, and of which run that was."""

    def __init__(self, result: Any = None, error: BaseException | None = None) -> None:
        self.result, self.error = result, error
        context = FlowRunContext.get()
        self._run = None if context is None else context.flow_run

    def call_hooks(self, flow: Flow[..., Any]) -> None:
        """Do what Prefect's engine leaves out when it cannot note an end: the store's own records are not to be lost."""
        if self._run is None or isinstance(self.result, State):
            return
        state: State[Any]
        if self.error is None:
            state, hooks = Completed(), flow.on_completion_hooks
        else:
            state, hooks = Failed(message=str(self.error), data=self.error), flow.on_failure_hooks
        for hook in hooks:
            try:
                hook(flow, self._run, state)
            except ChurnError as error:
                logger.warning("%s could not note the end of %s: %s", getattr(hook, "__name__", hook), flow.name, error)
