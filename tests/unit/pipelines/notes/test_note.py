"""Whose words stand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from churn.contract import Contract
from pipelines.notes.facts import Facts
from pipelines.notes.language_model import NoNote
from pipelines.notes.note import write_note
from pipelines.notes.template import fill_template
from tests.unit.pipelines.notes.test_guard import GOOD
from tests.unit.pipelines.notes.test_template import CALLS, MINUTES, PLAN


@pytest.fixture
def facts(contract: Contract) -> Facts:
    return Facts.of(contract, 0.995, 0.79, [CALLS, MINUTES, PLAN])


def test_a_model_that_keeps_to_the_facts_is_quoted(facts: Facts, contract: Contract) -> None:
    heard: list[Sequence[str]] = []

    def write(told: Sequence[str]) -> str:
        heard.append(told)
        return "\n\n".join(f"{number}. {line}" for number, line in enumerate(GOOD, start=1))

    note = write_note(facts, contract, write)
    assert (note.lines, note.written_by, note.why_template) == (GOOD, "model", None)
    assert heard == [fill_template(facts, contract)]


def test_a_model_that_does_not_is_not_and_it_is_said_why(facts: Facts, contract: Contract) -> None:
    note = write_note(facts, contract, lambda _: "\n".join([*GOOD[:-1], "Offer 20 USD."]))
    assert (note.lines, note.written_by) == (fill_template(facts, contract), "template")
    assert note.why_template == "the model's note says 20, which is none of the reasons' numbers"


def test_a_model_without_an_answer_leaves_the_template(facts: Facts, contract: Contract) -> None:
    def write(_: Sequence[str]) -> str:
        raise NoNote("away")

    note = write_note(facts, contract, write)
    assert (note.lines, note.why_template) == (fill_template(facts, contract), "away")


def test_without_a_model_there_is_nothing_to_explain(facts: Facts, contract: Contract) -> None:
    assert write_note(facts, contract, None).why_template is None
