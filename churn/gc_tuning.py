"""Tune the garbage collector of a process of ours."""

from __future__ import annotations

import gc

# Python's default is 700.
YOUNG_OBJECTS = 50_000


def collect_seldom() -> None:
    """Look for cycles less often. Called first: what is imported stays, and looking through it took a sixth of a start."""
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
