"""The template's note: five lines, whatever there is to say."""

from __future__ import annotations

from typing import Any

from churn.contract import Contract
from pipelines.notes.facts import Facts
from pipelines.notes.template import fill_template


def reason(feature: str, contribution: float, text: str) -> dict[str, Any]:
    return {"feature": feature, "value": 4.0, "contribution": contribution, "text": text}


CALLS = reason("customer_service_calls", 4.1, "customer service calls of 4 is above the typical 1: raises the risk")
MINUTES = reason("total_day_minutes", 2.0, "total day minutes of 120 is below the typical 179.2: raises the risk")
STATE = reason("state", 1.0, "state is OH: raises the risk")
PLAN = reason("voice_mail_plan", -1.0, "voice mail plan is Yes: lowers the risk")


def test_two_reasons_to_leave_one_to_stay_and_what_the_columns_mean(contract: Contract) -> None:
    facts = Facts.of(contract, 0.995, 0.79, [CALLS, MINUTES, PLAN, STATE])
    assert fill_template(facts, contract) == [
        "This telecom customer leaves with a probability of 99.5 %, at or above the threshold of 79.0 %: "
        "the model names this customer.",
        "Customer service calls of 4 is above the typical 1: raises the risk.",
        "Total day minutes of 120 is below the typical 179.2: raises the risk.",
        "Voice mail plan is Yes: lowers the risk.",
        "What the words mean: customer service calls: Calls to customer service; total day minutes: Minutes called by day; "
        "voice mail plan: Whether the customer has the voice mail plan.",
    ]


def test_there_are_five_lines_where_nothing_speaks_for_leaving_or_staying(contract: Contract) -> None:
    assert fill_template(Facts.of(contract, 0.1, 0.79, []), contract) == [
        "This telecom customer leaves with a probability of 10.0 %, below the threshold of 79.0 %: "
        "the model does not name this customer.",
        "Nothing else that is known raises the risk.",
        "Nothing else that is known raises the risk.",
        "Nothing that is known lowers the risk.",
        "The contract does not say what these columns mean.",
    ]


def test_a_customer_at_the_threshold_is_named_as_the_service_does(contract: Contract) -> None:
    assert Facts.of(contract, 0.5, 0.5, []).churn


def test_what_is_foretold_is_said_in_the_contracts_words(contract: Contract) -> None:
    bank = contract.model_copy(
        update={"customer": "borrower", "target": contract.target.model_copy(update={"event": "does not pay back"})}
    )
    assert fill_template(Facts.of(bank, 0.5, 0.6, []), bank)[0].startswith(
        "This borrower does not pay back with a probability of"
    )
