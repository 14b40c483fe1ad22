"""Hostile bodies of every route and format: made by hand, and drawn at random by a seed."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies import compressed, documents, drawn, streams, tables, tensors, texts


def handmade() -> Iterator[Attack]:
    """Yield the attacks made by hand, each on every route that reads its format."""
    for kind in (tables, streams, texts, documents, tensors, compressed):
        yield from kind.attacks()


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
    yield from drawn.attacks(seed, count)
