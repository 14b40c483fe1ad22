"""Models made ready without a process of the loader's own, which takes seconds to import what a test has imported already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from service.model_loading.loader_messages import LOADER_SETTINGS, raise_error
from service.model_loading.loader_process import respond
from service.model_loading.registry_source import RegistrySource


@contextmanager
def loading_here() -> Iterator[None]:
    """For the time of a `with` block, services in this process make models ready in it.

    The loader's own process is started by test_model_changes.py and by every service in a process of its own.
    """

    def run(source: RegistrySource, request: dict[str, Any]) -> None:
        settings = source._settings.model_dump(mode="json", include=LOADER_SETTINGS)
        answer = respond(json.loads(json.dumps({**request, "settings": settings})))
        raise_error(answer["result"], answer.get("reason", ""))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RegistrySource, "_run_loader", run)
        yield
