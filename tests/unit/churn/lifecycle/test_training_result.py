"""What became true of a training that broke off: said in one sentence, or said to be unknown."""

from __future__ import annotations

from typing import Any

import pytest

from churn.errors import NoModel, RegistryError, StoreAway
from churn.lifecycle.training_result import TrainingBrokenOff, telling_what_became_true
from churn.registry.aliases import TRAINING_TAG


class FakeRegistry:
    """Knows two versions; the second is of the training in question."""

    def __init__(self, champion: str | None, *, away: bool = False) -> None:
        self.champion, self.away = champion, away

    def versions(self) -> list[tuple[str, list[str], dict[str, str]]]:
        if self.away:
            raise RegistryError("the registry did not answer")
        return [("2", [], {TRAINING_TAG: "t2"}), ("1", ["champion"], {TRAINING_TAG: "t1"})]

    def champion_version(self) -> str:
        if self.champion is None:
            raise NoModel("there is none")
        return self.champion


@pytest.mark.parametrize(
    ("registry", "training", "said"),
    [
        (FakeRegistry("2"), "t2", "the store is away; version 2 was registered, and is champion"),
        (
            FakeRegistry("1"),
            "t2",
            "the store is away; version 2 was registered, and is not champion; the next training makes another",
        ),
        (
            FakeRegistry(None),
            "t2",
            "the store is away; version 2 was registered, and is not champion; the next training makes another",
        ),
        (FakeRegistry("1"), "t3", "the store is away; no version was registered, and the champion is the one before"),
        (FakeRegistry("2", away=True), "t2", "is not known while the registry is away: ask again with: churn model list"),
    ],
)
def test_what_became_true_is_said_after_what_went_wrong(registry: Any, training: str, said: str) -> None:
    with pytest.raises(TrainingBrokenOff) as caught, telling_what_became_true(registry, training):
        raise StoreAway("the store is away")
    assert str(caught.value).endswith(said)
    assert "\n" not in str(caught.value)
    assert (caught.value.exit_code, type(caught.value.__cause__)) == (1, StoreAway)


def test_a_bug_stays_a_bug_and_success_stays_silent() -> None:
    with pytest.raises(ZeroDivisionError), telling_what_became_true(FakeRegistry("1"), "t2"):  # type: ignore[arg-type]
        raise ZeroDivisionError
    with telling_what_became_true(FakeRegistry("1"), "t2"):  # type: ignore[arg-type]
        pass
