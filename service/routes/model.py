"""GET /model, GET /model/card and POST /admin/reload: which model serves, and taking the registry's champion now."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import PlainTextResponse

from churn.card import render_card
from service.auth import require
from service.documentation import problems
from service.schemas import ModelAnswer, ReloadAnswer
from service.state import State

router = APIRouter(tags=["model"])


class MarkdownResponse(PlainTextResponse):
    """Markdown, RFC 7763."""

    media_type = "text/markdown"


@router.get("/model", responses=problems(401, 503), dependencies=[Depends(require(None))])
async def describe_model(state: State) -> ModelAnswer:
    """Describe the model in service. Any valid key will do."""
    served = state.holder.current()
    return ModelAnswer(
        **served.model.info.model_dump(),
        aliases=["champion"] if served.version == state.follower.champion else [],
        loaded_at=served.loaded_at,
        loaded_from=served.loaded_from,
    )


@router.get("/model/card", response_class=MarkdownResponse, responses=problems(401, 503), dependencies=[Depends(require(None))])
async def show_card(state: State) -> MarkdownResponse:
    """Tell people what the model in service is for, what it was made from, how good it is and for whom. Any valid key will do."""
    served = state.holder.current()
    # A model registered before there were cards gets one of what is known.
    return MarkdownResponse(served.model.card or render_card(served.model.info, contract=served.contract))


@router.post("/admin/reload", responses=problems(401, 403, 409, 503), dependencies=[Depends(require("admin"))])
async def reload_champion(state: State) -> ReloadAnswer:
    """Take the registry's champion now, even one that was refused before. (Other workers follow with their next look.)"""
    took_over = await state.follower.take_champion(insist=True)
    return ReloadAnswer(result="loaded" if took_over else "unchanged", model_version=state.holder.current().version)
