"""Hostile bodies of every route and format: made by hand, and drawn at random by a seed."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.attacks.attack import Attack


def handmade() -> Iterator[Attack]:
    """Yield the attacks made by hand, each on every route that reads its format."""
    yield from ()


def generated(seed: int, count: int) -> Iterator[Attack]:
    """Yield attacks drawn at random.

    Parameters
    ----------
    seed : int
        Equal seeds draw equal attacks.
    count : int
        How many, at least 0.

    Yields
    ------
    Attack
    """
    yield from ()
