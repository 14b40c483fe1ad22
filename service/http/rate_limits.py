"""How much is let in at once: requests in work, bytes in memory, requests a second. What is over it is told to come back later.

A queue that is allowed to grow answers everybody late; who is turned away at once can go elsewhere. All of this counts in one
worker: with N of them a limit is N times as high, as the kernel deals connections out to the workers.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from service.http.errors import Overloaded, TooManyRequests

# Of so many callers without a key, the last ones, buckets are kept.
CALLERS = 10_000


class Limits:
    """Lets requests in and out again.

    Parameters
    ----------
    max_concurrent : int
        Requests in work at once.
    max_bytes : int
        Bytes that the bodies of these may take together.
    rate : float
        Requests a second of one caller, on average; 0: any number.
    burst : int
        Requests of one caller at once, after a rest.
    clock : callable
        Seconds.
    """

    def __init__(
        self, max_concurrent: int, max_bytes: int, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_concurrent, self._max_bytes = max_concurrent, max_bytes
        self._rate, self._burst, self._clock = rate, float(burst), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.requests = 0
        self.bytes = 0

    def enter(self, weight: int) -> None:
        """Let a request in that may hold `weight` bytes.

        Raises
        ------
        Overloaded
            Then it is not in, and must not `leave`.
        """
        if self.requests >= self._max_concurrent:
            raise Overloaded("Too many requests are in work.")
        # One body is always let in, however large: other limits say how large it may be.
        if self.bytes and self.bytes + weight > self._max_bytes:
            raise Overloaded("Too many large bodies are in work.")
        self.requests += 1
        self.bytes += weight

    def leave(self, weight: int) -> None:
        """Let it out."""
        self.requests -= 1
        self.bytes -= weight

    def count(self, caller: str) -> None:
        """Count a request against its caller's rate (a token bucket).

        Raises
        ------
        TooManyRequests
            With the seconds after which the next one will be let in.
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
        if len(self._buckets) > CALLERS:
            self._buckets.popitem(last=False)
