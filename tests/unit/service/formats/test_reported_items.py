"""However many items of a list are wrong, they are counted, and the first hundred problems are kept: in little memory."""

from __future__ import annotations

import tracemalloc
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from churn.clock import now
from service.formats.reported_items import SLICE_ITEMS, read_items
from service.formats.validation import MAX_COUNTED_PROBLEMS
from service.http.errors import LISTED_ERRORS, Unprocessable
from service.schemas.contacts import ContactItem
from service.schemas.native import OutcomeItem
from service.schemas.reported import Reported

MB = 2**20
KINDS = ((OutcomeItem, "outcomes", {"churned": True}), (ContactItem, "contacts", {"campaign": "may"}))


def refused(given: Any, model: type[Reported] = OutcomeItem, name: str = "outcomes") -> Unprocessable:
    with pytest.raises(Unprocessable) as caught:
        deque(read_items(given, model, name), maxlen=0)
    return caught.value


@pytest.mark.parametrize(("model", "name", "rest"), KINDS)
def test_every_item_is_read_in_order_whichever_slice_it_is_in(model: type[Reported], name: str, rest: dict[str, Any]) -> None:
    given = [{"customer_id": f"c{n}"} | rest for n in range(2 * SLICE_ITEMS + 1)]
    assert [item.customer_id for item in read_items(given, model, name)] == [item["customer_id"] for item in given]


@pytest.mark.parametrize(("model", "name", "rest"), KINDS)
def test_a_problem_is_named_by_its_place_in_the_whole_list(model: type[Reported], name: str, rest: dict[str, Any]) -> None:
    given: list[Any] = [{"customer_id": "c"} | rest] * (2 * SLICE_ITEMS)
    given[SLICE_ITEMS + 7] = {"customer_id": "c", "colour": 1} | rest
    given[-1] = 5
    error = refused(given, model, name)
    assert str(error) == "2 problems found."
    assert [one.field for one in error.errors] == [f"{name}.{SLICE_ITEMS + 7}.colour", f"{name}.{2 * SLICE_ITEMS - 1}"]


WRONG: dict[str, Callable[[], Any]] = {
    "nothing": lambda: {},
    "a number": lambda: 1,
    "fields of its own": lambda: {f"k{n}": 1 for n in range(3_000)},
    "a list as an id": lambda: {"customer_id": [1] * 200, "churned": True},
    "itself a list": lambda: [{}] * 200,
}


@pytest.mark.parametrize("what", WRONG)
def test_a_hundred_thousand_wrong_items_are_counted_in_little_memory(what: str) -> None:
    taken = 0

    def given() -> Any:
        nonlocal taken
        for _ in range(100_000):
            taken += 1
            yield WRONG[what]()

    tracemalloc.start()
    error = refused(given())
    assert tracemalloc.get_traced_memory()[1] < 24 * MB
    tracemalloc.stop()
    assert len(error.errors) == LISTED_ERRORS
    assert str(error) == f"More than {MAX_COUNTED_PROBLEMS} problems found; the first {LISTED_ERRORS} are listed."
    assert taken < 100_000  # nobody needs to know how many there are beyond


def test_a_nested_value_is_told_as_what_it_is() -> None:
    item = {"customer_id": ["c"], "prediction_id": {"a": 1}, "churned": [], "observed_at": [now().isoformat()]}
    assert {one.field for one in refused([item]).errors} == {f"outcomes.0.{name}" for name in item}
