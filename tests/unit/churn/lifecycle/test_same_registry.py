"""A version's number means one model in the store and in the registry, or nothing is done (issue 18)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from churn.errors import NoModel, RegistryMismatch
from churn.lifecycle.same_registry import check_registry, check_version
from churn.store.records import Decision, DecisionAction, DecisionKind


class FakeStore:
    """Knows a decision of the gate about each of some versions, newest first."""

    def __init__(self, *known: tuple[str | None, str]) -> None:
        self.known = [
            Decision(DecisionKind.GATE, DecisionAction.PASSED, "gate", "", version, {"run_id": run_id})
            for version, run_id in known
        ]

    def decisions(
        self, *, kind: tuple[DecisionKind, ...], model_version: str | None = None, limit: int = 100
    ) -> Sequence[Decision]:
        return [d for d in self.known if d.kind in kind and model_version in (None, d.model_version)][:limit]


class FakeRegistry(dict[str, str]):
    """Run by version."""

    def versions(self) -> list[tuple[str, list[str], dict[str, str]]]:
        return [(version, [], {}) for version in self]

    def identity(self, version: str, /) -> str:
        if version not in self:
            raise NoModel(version)
        return self[version]


@pytest.mark.parametrize(
    ("store", "registry"),
    [
        ((), {}),
        ((), {"1": "a", "2": "b"}),  # a new store beside an old registry: its numbers go on
        ((("1", "a"),), {"1": "a"}),
        ((("1", "a"),), {"1": "a", "2": "b", "10": "c"}),  # a store from a backup that is older than the registry
        ((("9", "a"), ("1", "z")), {"9": "a", "10": "c"}),
        ((("2", "b"),), {"1": "a", "3": "c"}),  # somebody deleted version 2
        (((None, "a"), ("by hand", "b")), {}),
    ],
)
def test_a_store_and_a_registry_of_one_life_belong_together(
    store: tuple[tuple[str | None, str], ...], registry: dict[str, str]
) -> None:
    check_registry(FakeStore(*store), FakeRegistry(registry))


@pytest.mark.parametrize(
    ("store", "registry", "said"),
    [
        ((("1", "a"),), {}, "the store knows version 1, and the registry has no version;"),  # a new registry beside an old store
        ((("10", "a"), ("9", "b")), {"9": "b"}, "the store knows version 10, and the registry has no version after 9;"),
        ((("1", "a" * 32),), {"1": "b" * 32}, "version 1 is run bbbbbbbb in the registry and run aaaaaaaa in the store;"),
        ((("2", "a"), ("1", "a")), {"1": "a", "2": "b", "3": "c"}, "version 2 is run b in the registry and run a in the store;"),
    ],
)
def test_those_of_two_lives_are_refused_in_one_line_that_says_what_to_do(
    store: tuple[tuple[str, str], ...], registry: dict[str, str], said: str
) -> None:
    with pytest.raises(RegistryMismatch) as caught:
        check_registry(FakeStore(*store), FakeRegistry(registry))
    assert str(caught.value).startswith(said)
    assert "churn restore" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_version_is_one_run_and_one_that_the_store_does_not_know_is_no_error() -> None:
    store = FakeStore(("2", "b"), ("1", "a"))
    check_version(store, "1", "a")
    check_version(store, "3", "c")
    with pytest.raises(RegistryMismatch, match="version 1"):
        check_version(store, "1", "b")
    # Mixed before this was checked: both are known by now.
    check_version(FakeStore(("1", "a"), ("1", "b")), "1", "a")
