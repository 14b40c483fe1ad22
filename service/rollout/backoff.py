"""Exponential backoff: how long to wait before something that failed is tried again."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Gauge

MAX_BACKOFF_SECONDS = 300.0


class RefusedVersions:
    """Versions that were refused. Each is tried again with backoff, as it may have been damaged in transit.

    Parameters
    ----------
    poll_seconds : float
        The first delay; it doubles with each further refusal.
    clock : callable
        Returns seconds.
    gauge : Gauge
        Set to 1 for a refused version.
    """

    def __init__(self, poll_seconds: float, clock: Callable[[], float], gauge: Gauge) -> None:
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._gauge = gauge
        self._refused: dict[str, tuple[int, float]] = {}

    def add(self, version: str) -> None:
        """Note that a version was refused (again)."""
        times = self._refused.get(version, (0, 0.0))[0] + 1
        delay = backoff_seconds(self._poll_seconds, times, MAX_BACKOFF_SECONDS)
        self._refused[version] = times, self._clock() + delay
        self._gauge.labels(version).set(1)

    def remove(self, version: str) -> None:
        """Note that a version was accepted."""
        if self._refused.pop(version, None) is not None:
            self._gauge.labels(version).set(0)

    def __contains__(self, version: str) -> bool:
        """Return whether a version was refused and its backoff has not passed."""
        return version in self._refused and self._clock() < self._refused[version][1]


def backoff_seconds(base_seconds: float, failures: int, max_seconds: float) -> float:
    """Return the delay before the next try: the base, doubled with each failure in a row.

    Parameters
    ----------
    base_seconds : float
        The delay without failures, above 0.
    failures : int
        How many tries in a row have failed, at least 0.
    max_seconds : float
        The longest delay; a longer base is kept.

    Returns
    -------
    float
        In seconds.

    Examples
    --------
    >>> [backoff_seconds(2, failures, 30) for failures in (0, 1, 2, 3, 100)]
    [2.0, 4.0, 8.0, 16.0, 30.0]
    """
    return float(max(base_seconds, min(max_seconds, base_seconds * 2.0 ** min(failures, 20))))
