"""What an app holds while it runs, typed, and how a route gets at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request

from churn.settings import Settings
from service.champion import ChampionFollower, ModelHolder
from service.metrics import ServiceMetrics
from service.prediction_log import PredictionLog, PredictionStore
from service.schemas import RequestModels

if TYPE_CHECKING:
    from service.auth import ApiKey


@dataclass
class ServiceState:
    """The parts of one running app. Only `draining` changes."""

    settings: Settings
    keys: tuple[ApiKey, ...]
    requests: RequestModels
    metrics: ServiceMetrics
    store: PredictionStore
    log: PredictionLog
    holder: ModelHolder
    follower: ChampionFollower
    draining: bool = False


async def service_state(request: Request) -> ServiceState:
    """Give the state of the app that a request came to. (Asynchronous, or FastAPI would call it in a thread.)"""
    return cast(ServiceState, request.app.state.service)


State = Annotated[ServiceState, Depends(service_state)]
