from __future__ import annotations

import numpy as np
import pytest

from churn.modeling.memory import Memory


@pytest.mark.parametrize(
    "other",
    [
        (np.arange(6.0), {"trees": 3}),
        (np.arange(6.0).reshape(3, 2), {"trees": 2}),
        (np.arange(6).reshape(2, 3), {"trees": 2}),
        (np.arange(6.0).reshape(2, 3).view(np.int64), {"trees": 2}),
        (np.arange(6.0).reshape(2, 3) + 1e-12, {"trees": 2}),
        (np.arange(6.0).reshape(2, 3), {"trees": 3}),
        (np.arange(6.0).reshape(2, 3),),
    ],
)
def test_the_content_decides_not_the_object(other: tuple[object, ...]) -> None:
    memory: Memory[int] = Memory(10)
    made = iter(range(10))
    given = np.arange(6.0).reshape(2, 3)
    assert memory.recall((given, {"trees": 2}), lambda: next(made)) == 0
    assert memory.recall((given.copy(order="F"), {"trees": 2}), lambda: next(made)) == 0
    assert memory.recall(other, lambda: next(made)) == 1


def test_the_oldest_is_forgotten_and_what_failed_is_not_remembered() -> None:
    memory: Memory[str] = Memory(2)
    for name in ("a", "b", "c"):
        memory.recall((name,), lambda name=name: name)  # type: ignore[misc]
    assert memory.recall(("c",), lambda: "again") == "c"
    assert memory.recall(("b",), lambda: "again") == "b"
    assert memory.recall(("a",), lambda: "again") == "again"

    def fails() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        memory.recall(("d",), fails)
    assert memory.recall(("d",), lambda: "made") == "made"
