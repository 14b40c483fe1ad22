from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Event, get_ident

import pytest

from churn.batch.ordered import in_order


def test_results_come_in_order_whoever_is_done_first() -> None:
    second_is_done = Event()

    def work(number: int) -> int:
        if number == 0:
            assert second_is_done.wait(120)
        if number == 1:
            second_is_done.set()
        return number

    assert list(in_order(work, range(20), 2)) == list(range(20))


def test_so_many_work_at_a_time_and_only_few_are_fetched_ahead() -> None:
    together, fetched = Barrier(3, timeout=120), list[int]()

    def things() -> Iterator[int]:
        for number in range(30):
            fetched.append(number)
            yield number

    def work(number: int) -> int:
        together.wait()
        return number

    results = in_order(work, things(), 3)
    for number in range(27):
        assert next(results) == number
        assert len(fetched) <= number + 4
    together.abort()
    results.close()


def test_one_lane_is_the_callers_own_thread() -> None:
    assert set(in_order(lambda _: get_ident(), range(3), 1)) == {get_ident()}


def test_an_error_comes_in_its_place_and_ends_the_work() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        done.append(number)
        if number == 3:
            raise ValueError("the fourth")
        return number

    results = in_order(work, range(1_000), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the fourth"):
        next(results)
    assert len(done) < 10
