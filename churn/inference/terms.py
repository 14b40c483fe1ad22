"""The terms whose sum is the logit: ramps and rules over numbered inputs."""

from __future__ import annotations

from typing import NamedTuple


class Ramp(NamedTuple):
    """A term that adds `weight` times the input, clipped to `low` and `high`; or times `missing`, where the number is missing."""

    input: int
    low: float
    high: float
    weight: float
    missing: float


class Condition(NamedTuple):
    """A condition that holds where low < input <= high."""

    input: int
    low: float
    high: float


class WeighedRule(NamedTuple):
    """A term that adds `weight` where all conditions hold."""

    conditions: tuple[Condition, ...]
    weight: float
