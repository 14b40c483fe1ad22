from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest

from monitoring.drift.sums import Sums
from tests.unit.monitoring.drift.small import PROFILE, frame_of


def values(sums: Sums) -> dict[str, object]:
    found = {field.name: getattr(sums, field.name) for field in fields(sums)}
    return {name: pytest.approx(one, rel=1e-5, abs=1e-3) if isinstance(one, np.ndarray) else one for name, one in found.items()}


@pytest.mark.parametrize("cuts", [[0, 500], [0, 1, 500], [0, 200, 201, 430, 500]])
def test_the_sums_of_parts_are_those_of_the_whole(cuts: list[int]) -> None:
    whole = frame_of(500, seed=4)
    whole.iloc[::9, 0] = np.nan
    whole.iloc[::11, 4] = None
    parts = [whole.iloc[begin:end] for begin, end in pairwise(cuts)]
    found, expected = PROFILE.summarise(parts), PROFILE.summarise([whole])
    assert found.value_sums == pytest.approx(expected.value_sums)
    found.value_sums = expected.value_sums
    assert {field.name: getattr(found, field.name) for field in fields(found)} == values(expected)


def test_a_column_that_is_absent_from_a_part_is_absent() -> None:
    first, second = Sums(rows=1, columns={"a", "b"}), Sums(rows=1, columns={"b", "c"})
    first.add(second)
    assert (first.rows, first.columns) == (2, {"b"})
    nothing = Sums()
    nothing.add(second)
    assert nothing.columns == {"b", "c"}


def test_what_only_one_part_counted_is_counted() -> None:
    first, second = Sums(rows=2, value_sums={"a": 1.0}), Sums(rows=3, value_sums={"a": 2.5, "b": 4.0})
    for name in ("present", "below", "above", "broken", "related"):
        getattr(first, name)["a"] = 1
        getattr(second, name).update({"a": 2, "b": 5})
    second.levels["state"] = first.present.copy()
    first.add(second)
    assert (first.rows, first.value_sums) == (5, {"a": 3.5, "b": 4.0})
    for name in ("present", "below", "above", "broken", "related"):
        assert dict(getattr(first, name)) == {"a": 3, "b": 5}
    assert first.levels == {"state": {"a": 1}}
    first.add(second)
    assert first.levels == {"state": {"a": 2}}
    assert second.levels == {"state": {"a": 1}}
