"""The parts of one running app, typed, and the dependency by which routes get them. Only `app` and the routes import this."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, cast

from fastapi import Depends, Request

from churn.config.settings import Settings
from churn.contract import Contract
from churn.customers.customer import request_model
from service.api_keys import ApiKey
from service.formats.validation import ColumnRules
from service.http.body import BodyLimits
from service.http.problem_details import ProblemDetails
from service.http.rejected_requests import RejectedRequests
from service.observability.metrics import METHODS, ServiceMetrics
from service.observability.tracing import Tracing
from service.page.render import Page
from service.prediction import PredictionService
from service.prediction_log.log import PredictionLog
from service.prediction_log.store_protocol import PredictionStore
from service.rollout.active_model import ActiveModel
from service.rollout.rollout import Rollout
from service.schemas.native import RequestModels
from service.threads import WorkerThreads

# One customer is validated on the event loop, so its body may not be so large that this takes long.
MAX_CUSTOMER_BYTES = 64 * 1024
MAX_NUMBER_LENGTH = 16
# Outcomes have threads of their own: while the store hangs, batches must not wait for a thread behind them.
OUTCOME_THREADS, OUTCOMES_WAITING = 4, 64


@dataclass
class ServiceState:
    """The parts of one running app. Only `draining` changes."""

    settings: Settings
    contract: Contract
    keys: tuple[ApiKey, ...]
    requests: RequestModels
    metrics: ServiceMetrics
    store: PredictionStore
    log: PredictionLog
    rollout: Rollout
    predictions: PredictionService
    rejected_requests: RejectedRequests
    tracing: Tracing | None = None
    outcome_threads: WorkerThreads = field(default_factory=lambda: WorkerThreads("outcomes", OUTCOME_THREADS, OUTCOMES_WAITING))
    draining: bool = False

    @property
    def active_model(self) -> ActiveModel:
        """The model in service."""
        return self.rollout.active_model

    @cached_property
    def rules(self) -> ColumnRules:
        """The contract's rules for columns of customers."""
        return ColumnRules(self.contract, self.requests.customer)

    @cached_property
    def rules_ignoring_unknown(self) -> ColumnRules:
        """The same for a protocol that ignores unknown columns (MLflow's)."""
        return self.rules.ignoring_unknown()

    @cached_property
    def rules_with_value(self) -> ColumnRules:
        """The rules for a campaign's customers: what they are worth is read too, and other columns are left aside."""
        contract = self.contract.with_value
        return ColumnRules(contract, request_model(contract), ignore_unknown=True, refuse_misspelled=True)

    @cached_property
    def page(self) -> Page:
        """The page for people."""
        return Page.of(self.settings, self.contract, with_keys=bool(self.keys))

    @cached_property
    def body_limits(self) -> BodyLimits:
        """The limits of any body."""
        return BodyLimits(self.settings.max_body_bytes, self.settings.body_timeout_seconds)

    @cached_property
    def customer_limits(self) -> BodyLimits:
        """The limits of a body with one customer."""
        return BodyLimits(min(MAX_CUSTOMER_BYTES, self.settings.max_body_bytes), self.settings.body_timeout_seconds)

    def note_rejected(self, request: Request, document: ProblemDetails) -> None:
        """Count a request that was answered with a problem, and keep it in the sample.

        Parameters
        ----------
        request : Request
        document : ProblemDetails
            The response.
        """
        slug, served = document.type.rpartition(":")[2], self.active_model.peek()
        length = request.headers.get("content-length", "")
        self.metrics.rejected.labels(slug).inc()
        self.rejected_requests.note(
            request_id=document.request_id or "",
            method=request.method if request.method in METHODS else "other",
            path=getattr(request.scope.get("route"), "path", "unmatched"),
            status=document.status,
            problem=slug,
            errors=document.errors,
            body_bytes=int(length) if length.isascii() and length.isdigit() and len(length) < MAX_NUMBER_LENGTH else None,
            model_version=served.version if served else None,
        )


async def service_state(request: Request) -> ServiceState:
    """Return the state of the app that handles a request. (Asynchronous, or FastAPI would call it in a thread.)"""
    return cast(ServiceState, request.app.state.service)


State = Annotated[ServiceState, Depends(service_state)]
