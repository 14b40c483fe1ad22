"""Work on several things at a time, and give the results in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(work: Callable[[T], R], things: Iterable[T], threads: int) -> Generator[R]:
    """Work on things in threads.

    Parameters
    ----------
    work : callable
    things : iterable
        Asked for more by the caller's thread: never more than one beyond those in work.
    threads : int
        Threads; 1: the caller's own.

    Yields
    ------
    object
        What `work` returned of each, in their order. Whoever stops asking (`close`) ends the work.
    """
    if threads == 1:
        yield from map(work, things)
        return
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[R]] = deque()
    try:
        for thing in things:
            waiting.append(pool.submit(work, thing))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
