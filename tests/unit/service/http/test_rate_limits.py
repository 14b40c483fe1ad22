from __future__ import annotations

import pytest

from service.http import rate_limits as limits_module
from service.http.errors import Overloaded, TooManyRequests
from service.http.rate_limits import Limits


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_requests_in_work_are_counted_in_and_out() -> None:
    limits = Limits(2, 100, 0, 1)
    limits.enter(0)
    limits.enter(0)
    with pytest.raises(Overloaded):
        limits.enter(0)
    limits.leave(0)
    limits.enter(0)
    assert limits.requests == 2


def test_large_bodies_share_what_memory_there_is_but_one_is_always_let_in() -> None:
    limits = Limits(10, 100, 0, 1)
    limits.enter(0)
    limits.hold(300, 0)
    limits.hold(200, 300)
    limits.enter(0)
    with pytest.raises(Overloaded, match="large bodies"):
        limits.hold(1, 0)
    limits.enter(10)  # a small one needs no room
    limits.leave(10)
    limits.leave(500)
    limits.hold(60, 0)
    limits.enter(0)
    with pytest.raises(Overloaded):
        limits.hold(41, 0)
    limits.hold(40, 0)
    assert (limits.requests, limits.bytes) == (2, 100)


def test_who_waits_for_a_body_is_not_in_work_and_finds_his_place_taken_or_free() -> None:
    limits = Limits(1, 100, 0, 1)
    limits.enter(0)
    with pytest.raises(Overloaded):
        limits.enter(0)
    with limits.waiting():
        limits.enter(0)
        limits.leave(0)
    assert limits.requests == 1
    with pytest.raises(Overloaded), limits.waiting():
        limits.enter(0)
    limits.leave(0)
    with pytest.raises(ZeroDivisionError), limits.waiting():
        raise ZeroDivisionError
    limits.leave(0)
    assert limits.requests == 0


def test_a_rate_lets_a_burst_in_and_then_so_many_a_second() -> None:
    clock = Clock()
    limits = Limits(1, 1, 2.0, 3, clock)
    for _ in range(3):
        limits.count("a")
    with pytest.raises(TooManyRequests) as turned_away:
        limits.count("a")
    assert turned_away.value.retry_after == 1
    limits.count("b")
    clock.now = 0.5
    limits.count("a")
    with pytest.raises(TooManyRequests):
        limits.count("a")
    clock.now = 100.0
    for _ in range(3):
        limits.count("a")
    with pytest.raises(TooManyRequests):
        limits.count("a")


def test_seconds_to_wait_are_those_that_the_next_token_takes() -> None:
    clock = Clock()
    limits = Limits(1, 1, 0.1, 1, clock)
    limits.count("a")
    clock.now = 4.0
    with pytest.raises(TooManyRequests) as turned_away:
        limits.count("a")
    assert turned_away.value.retry_after == 6


def test_no_rate_is_no_limit() -> None:
    limits = Limits(1, 1, 0.0, 1, Clock())
    for _ in range(100):
        limits.count("a")


def test_callers_that_were_not_seen_for_long_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "MAX_CALLERS", 2)
    limits = Limits(1, 1, 1.0, 1, Clock())
    for caller in ("a", "b", "c"):
        limits.count(caller)
    limits.count("a")  # forgotten, and so let in
    with pytest.raises(TooManyRequests):
        limits.count("c")
