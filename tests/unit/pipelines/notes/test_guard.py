"""What the guard lets a language model say, and what not."""

from __future__ import annotations

import pytest

from churn.contract import Column, Contract
from pipelines.notes.facts import Facts
from pipelines.notes.guard import find_fault
from pipelines.notes.template import fill_template
from tests.unit.pipelines.notes.test_template import CALLS, MINUTES, PLAN

GOOD = ["Leaves with 99.5 %, above 79 %.", "Four service calls, not 1.", "120 day minutes, not 179.2.", "It has a plan.", "Call."]


@pytest.fixture
def told(contract: Contract) -> list[str]:
    return fill_template(Facts.of(contract, 0.995, 0.79, [CALLS, MINUTES, PLAN]), contract)


def with_line(text: str) -> list[str]:
    return [*GOOD[:-1], text]


def fault(text: str, told: list[str], contract: Contract) -> str | None:
    return find_fault(with_line(text), told, contract)


def test_the_templates_own_note_may_be_said(told: list[str], contract: Contract) -> None:
    assert find_fault(told, told, contract) is None
    assert find_fault(GOOD, told, contract) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Ask for 12 months.", "says 12,"),
        ("Wait 1,200 days.", "says 1,200,"),
        ("It is 119.9 minutes.", "says 119.9,"),
        ("Seven calls.", "says 'seven'"),
        ("Twice as many.", "says 'twice'"),
        ("Pay \u00bd of it.", "says '\u00bd'"),
        ("In \u0664 days.", "says \u0664,"),
        ("Wait \u2167 days.", "says '\u2167'"),
        ("Look at the total night charge.", "names 'total night charge'"),
        ("Look at total_night_charge.", "names 'total_night_charge'"),
        ("The International Plan is dear.", "names 'International Plan'"),
        ("Has a long account length.", "names 'account length'"),
        ("The total charge is low.", "names 'total charge'"),
        ("Lives in OH.", "names 'OH'"),
        ("She calls a lot.", "says 'she'"),
        ("An elderly customer.", "says 'elderly'"),
        ("See https://example.com.", "holds a link"),
        ("Write to a@example.com.", "holds a link"),
        ("Call \x1b[31mnow.", "holds characters"),
        ("Call \u202enow.", "holds characters"),
        ("a" * 401, "has a line of more than"),
    ],
)
def test_what_the_facts_do_not_name_is_not_said(text: str, why: str, told: list[str], contract: Contract) -> None:
    assert (fault(text, told, contract) or "").startswith(why)


@pytest.mark.parametrize("text", ["Only or in a plan: hi, ok.", "Day minutes are few.", "179,2 is typical.", "A calm one."])
def test_everyday_words_are_no_columns_and_a_comma_may_be_a_point(text: str, told: list[str], contract: Contract) -> None:
    assert fault(text, told, contract) is None


def test_a_column_whose_name_is_part_of_anothers_is_not_meant(told: list[str], contract: Contract) -> None:
    part = Column(name="plan", source="Mail plan", kind="number")
    wider = contract.model_copy(update={"columns": (*contract.columns, part)})
    assert fault("The voice mail plan is there.", told, wider) is None
    assert (fault("The international plan is dear.", told, wider) or "").startswith("names 'international plan'")


def test_a_note_has_five_lines(told: list[str], contract: Contract) -> None:
    assert find_fault(GOOD[:4], told, contract) == "has 4 lines, not 5"
    assert find_fault([*GOOD, "Call."], told, contract) == "has 6 lines, not 5"


@pytest.fixture
def with_sensitive(contract: Contract) -> Contract:
    group = Column(name="home_region", source="Region", kind="category", role="sensitive", levels=("Northern", "Southern"))
    return contract.model_copy(update={"columns": (*contract.columns, group)})


@pytest.mark.parametrize("text", ["From the home region.", "A region to watch.", "A northern customer."])
def test_what_is_sensitive_is_never_said(text: str, told: list[str], with_sensitive: Contract) -> None:
    assert fault(text, told, with_sensitive) == "names home_region, which is sensitive"
    # Nor where a fact has the word.
    assert find_fault(with_line(text), [*told, text], with_sensitive) == "names home_region, which is sensitive"


def test_what_a_feature_is_called_may_be_said(told: list[str], contract: Contract) -> None:
    assert fault("A senior customer.", [*told, "Senior citizen is Yes."], contract) is None
    assert fault("A senior customer.", told, contract) is not None
