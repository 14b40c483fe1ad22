"""The composition root: settings in, one ASGI application out.

Nothing is opened before the application starts, and nothing is left open after it stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from churn.campaigns.control_group import ControlGroup
from churn.config.settings import Settings
from churn.contract import load_contract
from churn.customers.pseudonym import Pseudonymiser
from churn.errors import StoreError
from churn.store.store import Store
from service.api_keys import parse_keys
from service.http.openapi import DocumentedAPI
from service.http.problem_details import ProblemResponses
from service.http.rejected_requests import RejectedRequests
from service.middleware.admission import Admission
from service.middleware.fast_path import FastPath
from service.middleware.gateway import Gateway
from service.middleware.request_records import RequestRecords
from service.observability.metrics import ServiceMetrics
from service.observability.tracing import start_tracing
from service.opt_outs import OptOutFollower
from service.prediction import PredictionService
from service.prediction_log.lazy_store import LazyStore
from service.prediction_log.log import PredictionLog
from service.prediction_log.pseudonymous_store import PseudonymousStore
from service.prediction_log.sink import PING_SECONDS
from service.prediction_log.spool import Spool
from service.prediction_log.store_protocol import PredictionStore
from service.rollout.model_source import LastKnownGood, ModelSource
from service.rollout.rollout import Rollout
from service.routes import (
    batch,
    campaign,
    contacts,
    failures,
    mlflow_protocol,
    model,
    open_inference,
    operations,
    outcomes,
    page,
    predict,
)
from service.schemas.contacts import ContactItem, ContactsRequest
from service.schemas.examples import TAGS, csv_examples, request_examples
from service.schemas.native import OutcomeItem, OutcomesRequest, RequestModels, RollbackBody
from service.schemas.protocols import InferRequest, InvocationsRequest
from service.state import ServiceState
from service.threads import run_in_thread

ROUTES = (predict, batch, campaign, open_inference, mlflow_protocol, outcomes, contacts, model, failures, operations, page)
# Names that may appear in a problem, beside the contract's: of bodies, of their rows, and of parts of the service.
BODIES = (OutcomesRequest, OutcomeItem, ContactsRequest, ContactItem, InferRequest, InvocationsRequest, RollbackBody)
FIELDS = [
    *("body", "customers", "rows", "header", "reasons", "segment", "service", "model", "log"),
    *(name for body in BODIES for name in body.model_fields),
]
logger = logging.getLogger(__name__)


class ServiceApp:
    """The service as one ASGI application: the gateway around FastAPI, and beside them the fast path.

    Attributes
    ----------
    gateway : Gateway
        The outermost middleware.
    fast_path : FastPath
        Answers plain predictions for a server that asks it first; without one, all requests take the ordinary path.
    api : FastAPI
        The routes and their OpenAPI document.
    state : ServiceState
    """

    def __init__(self, api: FastAPI, state: ServiceState, problems: ProblemResponses) -> None:
        self.api, self.state = api, state
        admission, records = Admission(state.settings, state.keys), RequestRecords(state.settings, state.metrics)
        self.limits = admission.limits
        self.gateway = Gateway(api, admission, records, state.metrics, state.tracing, problems)
        self.fast_path = FastPath(
            state.contract,
            state.predictions,
            admission,
            records,
            state.tracing,
            problems,
            state.customer_limits.max_bytes,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        await self.gateway(scope, receive, send)

    def lifespan(self) -> AbstractAsyncContextManager[object]:
        """Return the context between start and shutdown, for callers that are no ASGI server."""
        return self.api.router.lifespan_context(self.api)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        return self.api.openapi()


def create_app(
    settings: Settings,
    *,
    registry: ModelSource | None = None,
    store: PredictionStore | None = None,
    last_known_good: LastKnownGood | None = None,
    on_start: Callable[[ServiceState], None] = lambda _state: None,
) -> ServiceApp:
    """Build the service.

    Parameters
    ----------
    settings : Settings
    registry : ModelSource, optional
        Where models come from; by default the registry of the settings.
    store : PredictionStore, optional
        Where predictions and outcomes go; by default the store of the settings.
    last_known_good : LastKnownGood, optional
        Where the last known good model is kept; by default the disk of the settings.
    on_start : callable, optional
        Called with the state when everything has started, before the first request.

    Returns
    -------
    ServiceApp

    Raises
    ------
    InputError
        If the contract or the API keys are malformed.
    """
    state = _build_state(settings, registry, store, last_known_good)

    @asynccontextmanager
    async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
        async with _running(state):
            on_start(state)
            yield

    bodies: list[type[BaseModel]] = [OutcomesRequest, ContactsRequest, RollbackBody, InferRequest, InvocationsRequest]
    api = DocumentedAPI(
        bodies=[state.requests.customer, state.requests.batch, *bodies],
        examples=request_examples(state.contract),
        csv_examples=csv_examples(state.contract),
        title="churn",
        openapi_tags=TAGS,
        description=f"Predicts which customers are about to leave, and why. {state.contract.description}".strip(),
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    api.state.service = state
    for routes in ROUTES:
        # As they are: `include_router` would only put off reading each of their signatures again, until the first requests.
        api.router.routes.extend(routes.router.routes)
    problems = ProblemResponses(state.note_rejected)
    problems.install(api)
    return ServiceApp(api, state, problems)


def _build_state(
    settings: Settings, registry: ModelSource | None, store: PredictionStore | None, last_known_good: LastKnownGood | None
) -> ServiceState:
    contract = load_contract(settings.contract)
    metrics = ServiceMetrics(contract)
    pseudonym: Pseudonymiser | None = None
    rollout = Rollout.of(settings, contract, metrics, source=registry, last_known_good=last_known_good)
    store = (
        store
        if store is not None
        else LazyStore(settings.store_url, partial(Store.open, timeout_seconds=settings.store_timeout_seconds))
    )
    spool = Spool(settings.home / "spool", settings.spool_max_bytes)
    make_log = partial(PredictionLog, hang_seconds=settings.store_timeout_seconds, drain_seconds=settings.spool_drain_seconds)
    log = make_log(store, spool, metrics)
    if key := settings.pseudonym_key.get_secret_value():
        pseudonym = Pseudonymiser(key)
        log = make_log(store, spool, metrics, pseudonym)
        store = PseudonymousStore(store, pseudonym)
    return ServiceState(
        settings=settings,
        contract=contract,
        keys=parse_keys(settings.api_keys.get_secret_value()),
        requests=RequestModels.from_contract(contract, settings.max_batch_rows),
        metrics=metrics,
        store=store,
        log=log,
        rollout=rollout,
        predictions=PredictionService(
            rollout.active_model,
            log,
            metrics,
            rollout.shadow,
            ControlGroup(settings.control_share, settings.control_key),
            OptOutFollower(store.opt_out_changes, metrics, pseudonym),
        ),
        rejected_requests=RejectedRequests(
            settings.home / "failed-requests", settings.failed_requests_kept, contract.with_value.feature_names + FIELDS
        ),
        tracing=start_tracing(settings),
    )


@asynccontextmanager
async def _running(state: ServiceState) -> AsyncIterator[None]:
    try:
        await asyncio.wait_for(run_in_thread(state.store.ping), PING_SECONDS)
    except (StoreError, TimeoutError) as error:
        logger.warning("starting without the store; it is tried again when it is needed: %s", error)
    state.log.start()
    state.rejected_requests.start()
    try:
        await state.predictions.opt_outs.start()
        await state.rollout.start()
        yield
    finally:
        # By now the server has finished its requests; what a cut-off one left in the log is still written.
        state.draining = True
        await state.rollout.stop()
        await state.predictions.opt_outs.stop()
        await state.log.close()
        await run_in_thread(state.rejected_requests.close)
        if state.tracing is not None:
            await run_in_thread(state.tracing.close)
        await run_in_thread(state.store.close)
