"""Identifiers that sort by the time they were made: UUIDv7."""

from __future__ import annotations

import os
import random
import sys
import time
from array import array
from collections.abc import Sequence

# Of a UUIDv7's 74 free bits, the last so many count within a batch.
COUNTER_BITS = 32


# Ids need not be secret. To ask the kernel for each would give the interpreter's lock away, and other threads take it.
_CHANCE = random.Random()  # noqa: S311 -- ids are no secrets
MADE_AHEAD = 256
_AHEAD: list[str] = []


def _start_anew() -> None:
    """Forget what a forked process has from its parent: it would draw the same numbers, and give the same ids."""
    _CHANCE.seed()
    _AHEAD.clear()


os.register_at_fork(after_in_child=_start_anew)


def new_id(at: int | None = None) -> str:
    """Make a UUIDv7: unique, and sorted by time to a quarter of a microsecond (RFC 9562, 6.2, method 3).

    Parameters
    ----------
    at : int, optional
        Its moment, in nanoseconds since 1970; by default, now.
    """
    milliseconds, nanoseconds = divmod(at or time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    # (`%` takes two thirds of an f-string's time for so many numbers.)
    # After the version (7) and its fraction comes the variant (binary 10), and then chance.
    first, last = _CHANCE.getrandbits(14) | 0x8000, _CHANCE.getrandbits(48)
    return "%08x-%04x-7%03x-%04x-%012x" % (milliseconds >> 16, milliseconds & 0xFFFF, fraction, first, last)  # noqa: UP031


def first_id(milliseconds: int) -> str:
    """Return what no UUIDv7 of a moment, in milliseconds since 1970, sorts before: ids from it on are those since then.

    Examples
    --------
    >>> first_id(1_767_225_600_000) <= numbered_ids(1_767_225_600_000, bytes(6), [0])[0]
    True
    """
    return "%08x-%04x-7" % (milliseconds >> 16, milliseconds & 0xFFFF)  # noqa: UP031


def next_id() -> str:
    """Return a UUIDv7 that was made ahead with others, in a fifth of the time: for what needs no moment of its own.

    It is unique, and sorts after earlier ones of this process, but its moment may be any time before now.
    """
    try:
        return _AHEAD.pop()
    except IndexError:
        first, *others = new_ids(MADE_AHEAD)
        _AHEAD.extend(reversed(others))
        return first


def new_ids(count: int) -> list[str]:
    """Make UUIDv7s for a batch: of one moment, distinct and sorted by a counter in their last 32 bits (RFC 9562, 6.2).

    Examples
    --------
    >>> batch = new_ids(1_000)
    >>> batch == sorted(set(batch)), len(batch[0]), batch[0][14]
    (True, 36, '7')
    """
    return _counted(new_id(), range(count))


def numbered_ids(milliseconds: int, run: bytes, numbers: Sequence[int]) -> list[str]:
    """Make UUIDv7s of which all bits are given: whoever makes them again gets the same ones.

    Parameters
    ----------
    milliseconds : int
        Their moment, since 1970.
    run : bytes, length at least 6
        What they belong to, well mixed, such as a digest: where other ids have chance, 42 of its bits stand.
    numbers : sequence of int
        Each in [0, 2**32).

    Returns
    -------
    list of str
        In the order of `numbers` as numbers and as texts.

    Examples
    --------
    >>> numbered_ids(1_767_225_600_000, b"digest", [0, 1])
    ['019b76da-a800-7646-a59d-95cd00000000', '019b76da-a800-7646-a59d-95cd00000001']
    """
    bits = int.from_bytes(run[:6])
    first, second, last = bits >> 36, bits >> 22 & 0x3FFF | 0x8000, bits >> 6 & 0xFFFF
    prefix = "%08x-%04x-7%03x-%04x-%04x" % (milliseconds >> 16, milliseconds & 0xFFFF, first, second, last)  # noqa: UP031
    return _counted(prefix + "0" * (COUNTER_BITS // 4), numbers)


def _counted(some_id: str, counters: Sequence[int]) -> list[str]:
    """Return an id once for each counter, which takes the place of its last digits."""
    if not counters:
        return []
    prefix = some_id[: -COUNTER_BITS // 4]
    # All counters, and all ids, at once: a step of Python for each takes twice as long.
    numbers = array("I", counters)
    if sys.byteorder == "little":
        numbers.byteswap()
    digits = numbers.tobytes().hex("\n", COUNTER_BITS // 8)
    return (prefix + digits.replace("\n", "\n" + prefix)).split("\n")
