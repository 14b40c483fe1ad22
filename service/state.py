"""What an app holds while it runs, typed, and how a route gets at it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request

from churn.config.settings import Settings
from churn.contract import Contract
from service.formats.validation import ColumnRules
from service.http.problem_details import ProblemDetails
from service.http.rejected_requests import FailedRequests
from service.model_lifecycle import ModelChanges
from service.observability.metrics import METHODS, ServiceMetrics
from service.page.render import Page
from service.prediction_log.log import PredictionLog
from service.prediction_log.store_protocol import PredictionStore
from service.rollout.active_model import ActiveModel
from service.schemas.native import RequestModels

if TYPE_CHECKING:
    from service.api_keys import ApiKey
    from service.observability.tracing import Tracing

# One customer is validated on the event loop, so it may not be so large that this takes long.
ONE_CUSTOMER_BYTES = 64 * 1024
MAX_NUMBER_LENGTH = 16
# Outcomes wait for the store, and for nothing else: while it hangs, batches must not wait for a thread behind them.
OUTCOME_THREADS = 4


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
    active_model: ActiveModel
    models: ModelChanges
    failures: FailedRequests
    tracing: Tracing | None = None
    outcome_threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(OUTCOME_THREADS, "outcomes"))
    draining: bool = False

    @cached_property
    def rules(self) -> ColumnRules:
        """The rules of the contract for columns of customers."""
        return ColumnRules(self.contract, self.requests.customer)

    @cached_property
    def page(self) -> Page:
        """The page for people."""
        return Page.of(self.settings, self.contract, with_keys=bool(self.keys))

    def note_refusal(self, request: Request, document: ProblemDetails) -> None:
        """Count a request that was answered with a problem, and keep it in the sample."""
        slug, served = document.type.rpartition(":")[2], self.active_model.peek()
        length = request.headers.get("content-length", "")
        self.metrics.rejected.labels(slug).inc()
        self.failures.note(
            request_id=document.request_id or "",
            method=request.method if request.method in METHODS else "other",
            path=getattr(request.scope.get("route"), "path", "unmatched"),
            status=document.status,
            problem=slug,
            errors=document.errors,
            body_bytes=int(length) if length.isascii() and length.isdigit() and len(length) < MAX_NUMBER_LENGTH else None,
            model_version=served.version if served else None,
        )

    @cached_property
    def max_bytes_of_one(self) -> int:
        """The largest body with one customer."""
        return min(ONE_CUSTOMER_BYTES, self.settings.max_body_bytes)


async def service_state(request: Request) -> ServiceState:
    """Give the state of the app that a request came to. (Asynchronous, or FastAPI would call it in a thread.)"""
    return cast(ServiceState, request.app.state.service)


State = Annotated[ServiceState, Depends(service_state)]
