"""GET /model and POST /admin/reload: which model serves, and taking the registry's champion now."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from service.auth import require
from service.documentation import problems
from service.schemas import ModelAnswer, ReloadAnswer
from service.state import State

router = APIRouter(tags=["model"])


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


@router.post("/admin/reload", responses=problems(401, 403, 409, 503), dependencies=[Depends(require("admin"))])
async def reload_champion(state: State) -> ReloadAnswer:
    """Take the registry's champion now, even one that was refused before. (Other workers follow with their next look.)"""
    took_over = await state.follower.take_champion(insist=True)
    return ReloadAnswer(result="loaded" if took_over else "unchanged", model_version=state.holder.current().version)
