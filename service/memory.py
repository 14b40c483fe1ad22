"""Give memory back to the system: what a large body took must not stay with the process when the body is gone."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

# Parameters of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# Blocks of at least so many bytes are taken from the system, and given back, one by one.
OWN_BLOCK_BYTES = 2**20
# What the end of an arena may keep.
KEPT_BYTES = 4 * 2**20


def keep_little_memory() -> None:
    """Let the allocator return large blocks as soon as they are free, where it is glibc's. Called once, at the start.

    By itself it raises both thresholds with the first block of 16 MB that is freed: from then on such blocks come from a thread's
    arena, whose end stays up to 64 MB large, and `malloc_trim` cuts off the end of the main arena only. Two threads that had read
    large bodies kept 100 MB for good.
    """
    if (mallopt := _of_glibc("mallopt")) is not None:
        mallopt(_MMAP_THRESHOLD, OWN_BLOCK_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)


def give_back_memory() -> None:
    """Return to the system what the allocators keep for later: free pages below anything that is still in use."""
    if (trim := _of_glibc("malloc_trim")) is not None:
        trim(0)
    if (pyarrow := sys.modules.get("pyarrow")) is not None:  # which has an allocator of its own
        pyarrow.default_memory_pool().release_unused()


@cache
def _of_glibc(name: str) -> Any:
    """Return a function of the C library; None if it has none of that name."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
