"""A rollback acts on the version it was decided for, or not at all."""

from __future__ import annotations

import dataclasses

import pytest

from churn.lifecycle.rollback_request import RollbackRequest

REQUEST = RollbackRequest("7", "run-7", "6", "run-6", "ana@host", "it is wrong")


@pytest.mark.parametrize(
    ("version", "run_id", "left"),
    [("7", "run-7", True), ("7", "run-of-another-registry", False), ("8", "run-7", False), ("6", "run-6", False)],
)
def test_it_leaves_the_model_it_was_decided_for_and_no_other(version: str, run_id: str, left: bool) -> None:
    assert REQUEST.leaves(version, run_id) is left


def test_a_person_asked_for_it_unless_it_is_said_and_nothing_changes_it_later() -> None:
    assert not REQUEST.automatic
    assert REQUEST.evidence == {}
    with pytest.raises(dataclasses.FrozenInstanceError):
        REQUEST.version = "5"  # type: ignore[misc]
