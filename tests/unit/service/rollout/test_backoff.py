from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Gauge

from service.rollout.backoff import MAX_BACKOFF_SECONDS, RefusedVersions, backoff_seconds


@pytest.mark.parametrize(
    ("base", "failures", "most", "delay"),
    [
        (2, 0, 30, 2),
        (2, 1, 30, 4),
        (2, 3, 30, 16),
        (2, 4, 30, 30),
        (2, 10_000, 30, 30),
        (60, 0, 30, 60),
        (60, 5, 30, 60),
        (0.001, 10_000, 1e9, 0.001 * 2**20),
    ],
)
def test_the_delay_doubles_up_to_the_longest(base: float, failures: int, most: float, delay: float) -> None:
    found = backoff_seconds(base, failures, most)
    assert found == delay
    assert isinstance(found, float)


class Refusing:
    """Refused versions with a clock that a test moves."""

    def __init__(self, poll_seconds: float = 5.0) -> None:
        self.time = 100.0
        self.registry = CollectorRegistry()
        gauge = Gauge("refused", "…", ["version"], registry=self.registry)
        self.versions = RefusedVersions(poll_seconds, lambda: self.time, gauge)

    def shown(self, version: str) -> float | None:
        return self.registry.get_sample_value("refused", {"version": version})


def test_a_refused_version_is_left_alone_for_twice_as_long_each_time() -> None:
    at = Refusing()
    assert "1" not in at.versions
    for delay in (10, 20, 40, 80, 160, MAX_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS):
        at.versions.add("1")
        began = at.time
        at.time = began + delay - 0.001
        assert "1" in at.versions
        at.time = began + delay
        assert "1" not in at.versions
    assert MAX_BACKOFF_SECONDS == 300
    assert at.shown("1") == 1


def test_versions_are_told_apart_and_one_that_was_accepted_begins_anew() -> None:
    at = Refusing()
    at.versions.add("1")
    at.versions.add("1")
    assert "2" not in at.versions
    at.versions.remove("2")
    assert at.shown("2") is None
    at.versions.remove("1")
    assert "1" not in at.versions
    assert at.shown("1") == 0
    at.versions.add("1")
    at.time += 10
    assert "1" not in at.versions
