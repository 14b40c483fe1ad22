from __future__ import annotations

import importlib
from functools import reduce

import pytest

from benchmarks.chaos.pipelines.forks import STEPS

PLACES = sorted({place for steps in STEPS.values() for place, _, _ in steps.values()})


@pytest.mark.parametrize("place", PLACES)
def test_the_place_of_each_step_is_there(place: str) -> None:
    module, path = place.split(":")
    assert callable(reduce(getattr, path.split("."), importlib.import_module(module)))
