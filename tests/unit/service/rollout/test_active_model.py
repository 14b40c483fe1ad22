from __future__ import annotations

from dataclasses import replace

import pytest

from churn.errors import ChurnError, ModelRefused, NoModel, RegistryError
from service.rollout.active_model import ActiveModel, is_same, why_none
from service.scoring.served_model import ServedModel
from tests.unit.service.fakes import make_model, served_model


def served(version: str) -> ServedModel:
    return served_model(make_model(version), "registry")


def of_run(model: ServedModel, run_id: str) -> ServedModel:
    return replace(model, info=model.info.model_copy(update={"run_id": run_id}))


def test_before_the_first_there_is_none_and_it_is_said_why() -> None:
    active = ActiveModel()
    assert (active.peek(), active.previous, active.changes) == (None, None, 0)
    with pytest.raises(NoModel, match=r"^no model is in service yet: the champion is still looked for and made ready$"):
        active.current()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoModel("there is no champion: train one with churn train"), "there is no champion: train one with churn train"),
        (ModelRefused("/srv/x: its digest is another one"), "was refused"),
        (ChurnError("a model cannot be made ready: /srv/x: No space left on device"), "No space left on device"),
        (ChurnError("making a model ready needs a file: /srv/x: Read-only file system"), "Read-only file system"),
        (RegistryError("the registry at http://ada:secret@/srv/x did not answer: timed out"), "did not answer"),
        (ChurnError("the loader process ended with -9: /srv/x"), "could not be made ready"),
    ],
)
def test_why_there_is_none_is_told_without_addresses_and_paths(error: ChurnError, words: str) -> None:
    told = why_none(error)
    assert words in told
    assert "/srv" not in told
    assert ("train" in told) == isinstance(error, NoModel)


def test_the_one_that_is_replaced_becomes_the_previous_one() -> None:
    active, first, second, third = ActiveModel(), served("1"), served("2"), served("3")
    active.activate(first)
    assert (active.current(), active.previous) == (first, None)
    active.activate(second)
    active.activate(third)
    assert (active.current(), active.peek(), active.previous, active.changes) == (third, third, second, 3)


def test_the_same_model_again_keeps_the_previous_one_and_counts() -> None:
    active, first, second = ActiveModel(), served("1"), served("2")
    again = served_model(make_model("2"), "disk")
    for one in (first, second, again):
        active.activate(one)
    assert (active.current(), active.previous, active.changes) == (again, first, 3)


def test_a_previous_one_may_be_given_and_forgotten() -> None:
    active = ActiveModel()
    active.activate(served("2"))
    kept = served("1")
    active.keep_warm(kept)
    assert active.previous is kept
    active.keep_warm(None)
    assert active.previous is None
    assert active.changes == 1


def test_two_are_the_same_by_number_and_run() -> None:
    one = served("1")
    assert is_same(one, served_model(make_model("1"), "disk"))
    assert not is_same(one, served("2"))
    assert not is_same(one, of_run(one, "other"))
    assert not is_same(one, of_run(served("2"), one.info.run_id))
