from __future__ import annotations

import importlib
from functools import reduce

import pytest

from benchmarks.chaos.pipelines.forks import STEPS, TASKS
from pipelines.flows import monitor, train

PLACES = sorted({place for steps in STEPS.values() for place, _, _ in steps.values()})


@pytest.mark.parametrize("place", PLACES)
def test_the_place_of_each_step_is_there(place: str) -> None:
    module, path = place.split(":")
    assert callable(reduce(getattr, path.split("."), importlib.import_module(module)))


@pytest.mark.parametrize(("flow", "module"), [("train", train), ("monitor", monitor)])
def test_the_tasks_of_each_flow_are_there(flow: str, module: object) -> None:
    assert [name for name in TASKS[flow] if not hasattr(module, name)] == []
