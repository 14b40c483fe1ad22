"""How long to wait before something that failed is tried again."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Gauge

MAX_REFUSAL_SECONDS = 300.0


class Refusals:
    """Versions that were refused, each tried again after a pause that doubles: it may have been broken on its way here.

    Parameters
    ----------
    poll_seconds : float
    clock : callable
        Seconds.
    shown : Gauge
        1 for a refused version.
    """

    def __init__(self, poll_seconds: float, clock: Callable[[], float], shown: Gauge) -> None:
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._shown = shown
        self._refused: dict[str, tuple[int, float]] = {}

    def add(self, version: str) -> None:
        """Note that a version was refused (again)."""
        times = self._refused.get(version, (0, 0.0))[0] + 1
        pause = pause_seconds(self._poll_seconds, times, MAX_REFUSAL_SECONDS)
        self._refused[version] = times, self._clock() + pause
        self._shown.labels(version).set(1)

    def forget(self, version: str) -> None:
        """Note that a version was taken."""
        if self._refused.pop(version, None) is not None:
            self._shown.labels(version).set(0)

    def __contains__(self, version: str) -> bool:
        """Tell whether a version was refused and its pause is not over."""
        return version in self._refused and self._clock() < self._refused[version][1]


def pause_seconds(poll_seconds: float, failures: int, longest: float) -> float:
    """Give the pause before the next look: the usual one, doubled with each failure in a row, up to `longest`.

    Examples
    --------
    >>> [pause_seconds(2, failures, 30) for failures in (0, 1, 2, 3, 100)]
    [2.0, 4.0, 8.0, 16.0, 30.0]
    """
    return float(max(poll_seconds, min(longest, poll_seconds * 2.0 ** min(failures, 20))))
