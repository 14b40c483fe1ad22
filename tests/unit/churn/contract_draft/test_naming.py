"""Names of columns in the contracts' style, each only once."""

from __future__ import annotations

import pytest

from churn.contract_draft.naming import free_name, snake_case


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("SeniorCitizen", "senior_citizen"),
        ("HTTPServer", "http_server"),
        ("customerID", "customer_id"),
        ("a1B", "a1_b"),
        ("  Total  day-minutes ", "total_day_minutes"),
        ("Größe (€)", "grosse"),
        ("Straße_ID", "strasse_id"),
        ("Beløb", "belob"),
        ("Opłata", "oplata"),
        ("Æble", "aeble"),
        ("№", "no"),
        ("€", ""),
    ],
)
def test_words_in_lower_case_with_underscores(spelling: str, name: str) -> None:
    assert snake_case(spelling) == name


@pytest.mark.parametrize(
    ("wanted", "taken", "name"),
    [
        ("plan", (), "plan"),
        ("plan", ("plan",), "plan_2"),
        ("plan", ("plan", "plan_2", "plan_3"), "plan_4"),
        ("5_g", ("column_5_g",), "column_5_g_2"),
        ("", ("column",), "column_2"),
    ],
)
def test_a_name_that_is_taken_gets_a_number(wanted: str, taken: tuple[str, ...], name: str) -> None:
    assert free_name(wanted, taken) == name
