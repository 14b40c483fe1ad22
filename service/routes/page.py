"""GET /: the page for people. The form needs no key; the model is shown only to visitors who may see it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from service.authorization import authorize
from service.http.errors import RequestProblem
from service.http.strict_query import StrictRoute
from service.page.render import headers
from service.request_context import request_context_of
from service.state import State

router = APIRouter(route_class=StrictRoute, tags=["operations"])


@router.get("/", include_in_schema=False)
async def page(request: Request, state: State) -> HTMLResponse:
    """Show a form to score a customer, and the model in service. With keys configured the model is shown to a valid one only."""
    try:
        authorize(request_context_of(request.scope), None)
        trusted = True
    except RequestProblem:
        trusted = False
    model = state.active_model
    return HTMLResponse(state.page.render(model.peek(), trusted=trusted, why_none=model.why_none), headers=headers())
