"""GET /model and /model/card describe the model in service. POST /admin/reload and /admin/rollback change it."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import PlainTextResponse

from churn.errors import ChampionChanged
from service.authorization import authorize, require
from service.http.body import parse_json, read_json_body
from service.http.openapi import json_body, problems
from service.http.strict_query import StrictRoute
from service.request_context import request_context_of
from service.schemas.native import ModelAnswer, ReloadAnswer, RollbackAnswer, RollbackBody
from service.state import State

router = APIRouter(route_class=StrictRoute, tags=["model"])
DEFAULT_REASON = "requested over HTTP, without a reason"


class MarkdownResponse(PlainTextResponse):
    """Markdown, RFC 7763."""

    media_type = "text/markdown"


@router.get("/model", responses=problems(401, 503), dependencies=[Depends(require(None))])
async def describe_model(state: State) -> ModelAnswer:
    """Describe the model in service. Any valid key will do."""
    served = state.active_model.current()
    aliases = state.rollout.follower.aliases
    return ModelAnswer(
        **served.info.model_dump(),
        aliases=sorted(alias for alias, version in aliases.items() if version == served.version),
        path=served.path,
        loaded_at=served.loaded_at,
        loaded_from=served.loaded_from,
    )


@router.get("/model/card", response_class=MarkdownResponse, responses=problems(401, 503), dependencies=[Depends(require(None))])
async def show_card(state: State) -> MarkdownResponse:
    """Return the model card: what the model is for, what it was trained on, how good it is. Any valid key will do."""
    served = state.active_model.current()
    return MarkdownResponse(served.card)


@router.post("/admin/reload", responses=problems(401, 403, 409, 503), dependencies=[Depends(require("admin"))])
async def reload_champion(state: State) -> ReloadAnswer:
    """Take the registry's champion now, even one that was refused before. (Other workers follow at their next poll.)"""
    took_over = await state.rollout.follower.take_champion(insist=True)
    return ReloadAnswer(result="loaded" if took_over else "unchanged", model_version=state.active_model.current().version)


@router.post(
    "/admin/rollback",
    responses=problems(401, 403, 409, 413, 415, 422, 503),
    dependencies=[Depends(require("admin"))],
    openapi_extra={"requestBody": {**json_body("RollbackBody")["requestBody"], "required": False}},
)
async def roll_back(request: Request, state: State) -> RollbackAnswer:
    """Roll back to the previous model at once, and have the registry's aliases moved, with a record of why.

    The response waits some seconds for the record, the rollback does not. If the registry is away the rollback holds here, and is
    recorded when the registry is back (`recorded` is false until then). A second rollback undoes the first; name the version
    to leave (`leaving`), and a request that is sent twice is done once.
    """
    # Decided for the model that serves now: a promotion while the body comes in is not what it meant.
    serving = state.active_model.current()
    body = await read_json_body(request, state.customer_limits)
    asked = parse_json(RollbackBody, body) if body.strip() else RollbackBody(reason=DEFAULT_REASON)
    if asked.leaving not in (None, serving.version):
        raise ChampionChanged(f"version {serving.version} is in service, and not {asked.leaving}; nothing was changed")
    key = authorize(request_context_of(request.scope), "admin")
    actor = "api" if key is None else f"api key {key.name}"
    done = await state.rollout.follower.roll_back(serving, actor=actor, reason=asked.reason)
    return RollbackAnswer(model_version=done.version, replaced=done.leaving, recorded=done.recorded)
