"""Hostile bodies of every route and format: made by hand, and drawn at random by a seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies import compressed, documents, drawn, odd, reported, streams, tables, tensors, texts

KINDS = (tables, streams, texts, documents, reported, tensors, compressed, odd)


def handmade() -> Iterator[Attack]:
    """Yield the attacks made by hand, each on every route that reads its format."""
    for kind in KINDS:
        yield from kind.attacks()


def generated(seed: int, numbers: Iterable[int]) -> Iterator[Attack]:
    """Yield attacks drawn at random.

    Parameters
    ----------
    seed : int
    numbers : iterable of int
        Which ones: the same seed and number draw the same attack.

    Yields
    ------
    Attack
    """
    yield from drawn.attacks(seed, numbers)
