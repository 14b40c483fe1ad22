"""Tune the garbage collector of a process of ours; `python -m churn.gc_tuning MODULE ARGUMENTS` runs another's program so."""

from __future__ import annotations

import gc
import runpy
import sys
from collections.abc import Sequence

# Python's default is 700.
YOUNG_OBJECTS = 50_000


def collect_seldom() -> None:
    """Look for cycles less often. Called first: what is imported stays, and looking through it took a sixth of a start."""
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)


def run_module(words: Sequence[str]) -> None:
    """Run a module as `python -m` does, with cycles looked for less often.

    Parameters
    ----------
    words : sequence of str
        The module's name, and its arguments.
    """
    collect_seldom()
    sys.argv = list(words)
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    run_module(sys.argv[1:])
