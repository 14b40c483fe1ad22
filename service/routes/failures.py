"""GET /admin/failures: which requests were rejected lately, and why."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from service.authorization import require
from service.http.openapi import problems
from service.http.strict_query import IN_DIGITS, StrictRoute
from service.schemas.native import FailuresAnswer
from service.state import State
from service.threads import run_in_thread

router = APIRouter(route_class=StrictRoute, tags=["operations"], dependencies=[Depends(require("admin"))])


@router.get("/admin/failures", responses=problems(401, 403, 422))
async def show_failures(
    state: State,
    limit: Annotated[int, Field(ge=1, le=1_000), IN_DIGITS, Query(description="At most so many, the newest.")] = 100,
) -> FailuresAnswer:
    """Return the newest rejected requests of all workers: when, which route, and which rules were broken; never a value."""
    found: list[dict[str, Any]] = await run_in_thread(state.rejected_requests.newest, limit)
    return FailuresAnswer(failures=found)
