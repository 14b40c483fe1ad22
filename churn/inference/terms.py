"""The terms whose sum is the logit: ramps and rules over numbered inputs."""

from __future__ import annotations

from collections.abc import Sequence
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


def sums_by_byte(weights: Sequence[float]) -> tuple[list[float], ...]:
    """Return, of each eight weights, the sum of every choice of them, by the byte whose bits say which are chosen.

    Examples
    --------
    >>> [sums[0b101] for sums in sums_by_byte([1.0, 10.0, 100.0])]
    [101.0]
    """
    found = []
    for first in range(0, len(weights), 8):
        sums = [0.0]
        for weight in weights[first : first + 8]:
            sums += [known + weight for known in sums]
        found.append(sums)
    return tuple(found)
