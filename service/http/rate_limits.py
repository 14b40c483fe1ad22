"""Limits of what is let in: concurrent requests, bytes in memory, and a rate per caller. What exceeds them is told to come later.

A queue that may grow answers everybody late; a caller that is refused at once can go elsewhere. Each worker counts for itself:
with N workers a limit is N times as high, as the kernel distributes connections over them.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.http.errors import Overloaded, TooManyRequests

# How many callers' token buckets are kept, the newest ones.
MAX_CALLERS = 10_000


class Limits:
    """Lets requests in and out again.

    Parameters
    ----------
    max_concurrent : int
        Concurrent requests.
    max_bytes : int
        Bytes that their bodies may take together.
    rate : float
        Requests per second of one caller, on average; 0: no limit.
    burst : int
        Requests that one caller may send at once after a pause.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self, max_concurrent: int, max_bytes: int, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_concurrent, self._max_bytes = max_concurrent, max_bytes
        self._rate, self._burst, self._clock = rate, float(burst), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.requests = 0
        self.bytes = 0

    @property
    def has_rate(self) -> bool:
        """Whether callers have a rate."""
        return self._rate > 0

    def enter(self, weight: int) -> None:
        """Let a request in whose body takes `weight` bytes; of a large one, `hold` what arrives.

        Raises
        ------
        Overloaded
            If there is no room: then it must not `leave`.
        """
        if self.requests >= self._max_concurrent:
            raise Overloaded("Too many requests are in work.")
        self.requests += 1
        self.bytes += weight

    def hold(self, more: int, weight: int) -> None:
        """Let a body take `more` bytes than the `weight` that it has already: bytes that have arrived, not what is announced.

        Parameters
        ----------
        more, weight : int

        Raises
        ------
        Overloaded
            If all bodies together take too many; one alone is always let in, as its size has a limit of its own.
        """
        if self.bytes > weight and self.bytes + more > self._max_bytes:
            raise Overloaded("Too many large bodies are in work.")
        self.bytes += more

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count a request as not in work while its body is on its way: slow senders must not take the place of others.

        Raises
        ------
        Overloaded
            At the end, if others have taken its place.
        """
        self.requests -= 1
        try:
            yield
        finally:
            self.requests += 1
        if self.requests > self._max_concurrent:
            raise Overloaded("Too many requests are in work.")

    def leave(self, weight: int) -> None:
        """Free what the request took; `weight` as in `enter`."""
        self.requests -= 1
        self.bytes -= weight

    def count(self, caller: str) -> None:
        """Count a request against its caller's rate (a token bucket).

        Raises
        ------
        TooManyRequests
            With the number of seconds until the next one is let in.
        """
        if not self._rate:
            return
        now = self._clock()
        tokens, since = self._buckets.pop(caller, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        if tokens < 1:
            self._buckets[caller] = tokens, now
            raise TooManyRequests("This caller asks too often.", retry_after=math.ceil((1 - tokens) / self._rate))
        self._buckets[caller] = tokens - 1, now
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
