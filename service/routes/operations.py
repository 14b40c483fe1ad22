"""GET /healthz, /readyz and /metrics for machines, and /docs for people. They need no key."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from churn.errors import NoModel, StoreError
from service.http.errors import FieldProblem, NotReady
from service.http.openapi import STYLE, docs_page, problems
from service.http.strict_query import StrictRoute
from service.page.headers import page_headers
from service.schemas.native import HealthAnswer, ReadyAnswer
from service.state import State

router = APIRouter(route_class=StrictRoute, tags=["operations"])


@router.get("/healthz", summary="Liveness", responses=problems())
async def healthz() -> HealthAnswer:
    """Answer 200: the process is alive."""
    return HealthAnswer()


@router.get("/readyz", summary="Readiness", responses=problems(503))
async def readyz(state: State) -> ReadyAnswer:
    """Return whether predictions can be answered: a model is loaded, the log can be written, and the service is not stopping."""
    missing: list[FieldProblem] = []
    if state.draining:
        missing.append(FieldProblem(field="service", problem="is stopping"))
    try:
        version = state.active_model.current().version
    except NoModel as error:
        missing.append(FieldProblem(field="model", problem=str(error)))
    try:
        log = await state.log.check()
    except StoreError:
        missing.append(FieldProblem(field="log", problem="predictions cannot be logged: neither store nor spool can be written"))
    if missing:
        raise NotReady("The service cannot answer predictions now.", missing)
    return ReadyAnswer(model_version=version, log=log)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, **problems()})
async def metrics(request: Request, state: State) -> Response:
    """Return the metrics in the Prometheus text format, or in OpenMetrics if asked for."""
    state.metrics.log.lag.set(state.log.lag_seconds())
    content, media_type = state.metrics.expose(request.headers.get("accept", ""))
    return Response(content, headers={"Content-Type": media_type})


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Show the API to people."""
    return HTMLResponse(docs_page(request.app.openapi()), headers=page_headers(style=STYLE))
