"""The app: settings in, a FastAPI out. Nothing is opened before its lifespan starts; nothing is left when it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import ASGIApp

from churn.config.settings import Settings
from churn.contract import load_contract
from churn.customers.pseudonym import Pseudonymiser
from churn.errors import StoreError
from churn.store.store import Store
from service.api_keys import parse_keys
from service.http.openapi import complete_openapi
from service.http.problem_details import install_problems
from service.http.rejected_requests import FailedRequests
from service.middleware.fast_path import FastPath
from service.middleware.gateway import Gateway
from service.model_lifecycle import ModelChanges
from service.observability.metrics import ServiceMetrics
from service.observability.tracing import start_tracing
from service.prediction_log.lazy_store import LazyStore
from service.prediction_log.log import PredictionLog
from service.prediction_log.pseudonymous_store import PseudonymousStore
from service.prediction_log.sink import PING_SECONDS
from service.prediction_log.spool import Spool
from service.prediction_log.store_protocol import PredictionStore
from service.rollout.model_source import LastKnownGood, ModelSource
from service.routes import batch, failures, mlflow_protocol, model, open_inference, operations, outcomes, page, predict
from service.schemas.native import OutcomesRequest, RequestModels, RollbackBody
from service.schemas.protocols import InferRequest, InvocationsRequest
from service.state import ServiceState

# Names of ours that may stand in a problem, beside the contract's.
FIELDS = [
    "body",
    "customers",
    "customer_id",
    "outcomes",
    "prediction_id",
    "churned",
    "observed_at",
    "reasons",
    "inputs",
    "service",
    "model",
    "log",
]
logger = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    *,
    registry: ModelSource | None = None,
    store: PredictionStore | None = None,
    last_known_good: LastKnownGood | None = None,
) -> FastAPI:
    """Make the service.

    Parameters
    ----------
    settings : Settings
    registry : ModelSource, optional
        Where models come from, if not from the registry of the settings.
    store : PredictionStore, optional
        Where predictions and outcomes go, if not to the store of the settings.
    last_known_good : LastKnownGood, optional
        Where the last known good model lies, if not on the disk of the settings.

    Raises
    ------
    InputError
        If the contract or the API keys are malformed.
    """
    state = _build_state(settings, registry, store, last_known_good)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with _running(state):
            yield

    app = FastAPI(
        title="churn",
        description="Who is about to leave: churn probabilities of telecom customers, and what came true.",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = state
    for routes in (predict, batch, open_inference, mlflow_protocol, outcomes, model, failures, operations, page):
        app.include_router(routes.router)
    _add_middleware(app, state)
    install_problems(app)
    bodies: list[type[BaseModel]] = [OutcomesRequest, RollbackBody, InferRequest, InvocationsRequest]
    complete_openapi(app, [state.requests.customer, state.requests.batch, *bodies])
    return app


def _add_middleware(app: FastAPI, state: ServiceState) -> None:
    """Put the door and the fast lane around all of the framework's own middleware: what needs none of it pays for none of it."""
    build = app.build_middleware_stack

    def stack() -> ASGIApp:
        return Gateway(FastPath(build(), state), state)

    app.build_middleware_stack = stack  # type: ignore[method-assign]


def _build_state(
    settings: Settings, registry: ModelSource | None, store: PredictionStore | None, last_known_good: LastKnownGood | None
) -> ServiceState:
    contract = load_contract(settings.contract)
    metrics = ServiceMetrics(contract)
    models = ModelChanges.of(settings, contract, metrics, source=registry, last_known_good=last_known_good)
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
        requests=RequestModels.of(contract, settings.max_batch_rows),
        metrics=metrics,
        store=store,
        log=log,
        active_model=models.active_model,
        models=models,
        failures=FailedRequests(
            settings.home / "failed-requests", settings.failed_requests_kept, contract.feature_names + FIELDS
        ),
        tracing=start_tracing(settings),
    )


@asynccontextmanager
async def _running(state: ServiceState) -> AsyncIterator[None]:
    try:
        await asyncio.wait_for(asyncio.to_thread(state.store.ping), PING_SECONDS)
    except (StoreError, TimeoutError) as error:
        logger.warning("starting without the store; it is tried again when it is needed: %s", error)
    state.log.start()
    state.failures.start()
    try:
        await state.models.start()
        yield
    finally:
        # By now the server has finished its requests; what a cut-off one left in the log is still written.
        state.draining = True
        await state.models.stop()
        await state.log.close()
        await asyncio.to_thread(state.failures.close)
        if state.tracing is not None:
            await asyncio.to_thread(state.tracing.close)
        state.outcome_threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(state.store.close)
