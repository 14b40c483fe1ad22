from __future__ import annotations

import re

import pytest

from churn.contract_draft.column_profile import ColumnProfile
from churn.contract_draft.roles import find_id, is_code, is_sensitive, read_instead, says_id, suspect, why_ignored
from tests.unit.churn.contract_draft.profiles import profile, profiles_of

ROWS = 200
OWN = [f"c{n * 7}" for n in range(ROWS)]
NUMBERS = [str(n * 7 % 1_009) for n in range(ROWS)]
OUTCOME = profile(["yes" if n % 3 == 0 else "no" for n in range(ROWS)], "Churn")


def named(name: str, values: list[object] | None = None) -> ColumnProfile:
    return profile(NUMBERS if values is None else values, name)


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "customerID",
        "Customer Id",
        "client_no",
        "CLIENTNUM",
        "custno",
        "phone number",
        "MSISDN",
        "users key",
        *("POLICY_NO", "contract id", "policynumber", "policyholder id"),
        *("Kontonummer", "Kunden-Nr.", "Kundennr", "Vertragsnummer"),
    ],
)
def test_a_name_says_that_a_column_names_the_customer_even_if_some_are_there_twice(name: str) -> None:
    twice = [*OWN[:-1], OWN[0]]
    columns = {"plan": ["a", "b"] * 100, name: twice}
    assert find_id(profiles_of(columns).values()) == name


@pytest.mark.parametrize("name", ["order id of a customer", "plan", "accounts", "number", "client rating"])
def test_other_names_do_not(name: str) -> None:
    assert find_id(profiles_of({name: ["a", "b"] * 100}).values()) is None


def test_of_two_that_are_named_so_the_one_of_which_every_row_has_its_own() -> None:
    columns = {"account number": [*NUMBERS[:-1], NUMBERS[0]], "customer id": OWN}
    assert find_id(profiles_of(columns).values()) == "customer id"


def test_what_names_a_contract_names_the_customer_only_where_no_column_does() -> None:
    columns = {"contract no": OWN, "customer id": [*OWN[:-1], OWN[0]]}
    assert find_id(profiles_of(columns).values()) == "customer id"


def test_without_a_name_the_first_text_of_which_every_row_has_its_own() -> None:
    assert find_id(profiles_of({"minutes": NUMBERS, "email": OWN, "other": OWN}).values()) == "email"
    assert find_id(profiles_of({"row": [str(n) for n in range(ROWS)], "order id": NUMBERS}).values()) == "order id"
    assert find_id(profiles_of({"minutes": NUMBERS, "gender": OWN}).values()) is None
    # No quantity is written so.
    assert find_id(profiles_of({"minutes": NUMBERS, "card": [n.zfill(9) for n in NUMBERS]}).values()) == "card"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("order id", True),
        ("EmployeeNumber", True),
        ("uuid", True),
        ("area code", False),
        ("number", False),
        ("calls", False),
        ("house no", True),
    ],
)
def test_an_id_of_anything_is_told_by_its_name(name: str, expected: bool) -> None:
    assert says_id(named(name)) is expected


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (named("x", [None] * ROWS), "it is empty"),
        (named("x", ["a"] * ROWS), "it is the same for everybody"),
        (named("churn score"), "it looks like the outcome"),
        *((named(name), "it looks like the outcome") for name in ("reason for leaving", "ExitSurvey", "Kündigungsgrund")),
        (named("disconnect date", ["2026-03-01", "2026-03-02"] * 100), "it looks like the outcome"),
        (named("since", ["2026-03-01", "2026-03-02"] * 100), "a date"),
        (named("x", [str(n) for n in range(ROWS)]), "it numbers the rows"),
        (named("order id"), "another id"),
        (named("x"), "every row has a whole number of its own"),
        (named("x", [f"text {n}" for n in range(ROWS)]), "free text, or a category of too many levels (200)"),
        (named("zip code", [str(n % 150 + 10_000) for n in range(ROWS)]), "a code of 150 levels, more than a category can have"),
    ],
)
def test_why_no_model_reads_a_column(column: ColumnProfile, why: str) -> None:
    assert why_ignored(column, OUTCOME).startswith(why)


@pytest.mark.parametrize(
    ("column", "instead"),
    [
        (named("since", ["2026-03-01", "2026-03-02"] * 100), "put the days from it to the day of the export in its place"),
        (named("city", [f"city {n % 70}" for n in range(700)]), "group its levels .* at most 60 of them"),
        (named("zip code", [f"{n % 70:05}" for n in range(700)]), "group its levels"),
        (named("session", [f"{n % 40}:{n % 60:02}" for n in range(700)]), "a duration, or a time of day: write it as one number"),
        (named("remark", [f"text {n}" for n in range(ROWS)]), "^$"),
        (named("remark", [f"text {n % 150}" for n in range(ROWS)]), "^$"),
        (named("churn date", ["2026-03-01", "2026-03-02"] * 100), "^$"),
        (named("x", ["a"] * ROWS), "^$"),
    ],
)
def test_an_ignored_column_that_may_tell_something_is_said_with_what_to_put_in_its_place(
    column: ColumnProfile, instead: str
) -> None:
    assert re.search(instead, read_instead(column, why_ignored(column, OUTCOME)))


@pytest.mark.parametrize(
    "name", ["early termination fee", "exit poll", "leftover minutes", "reason for the last call", "lost calls"]
)
def test_not_every_word_of_leaving_is_of_who_left(name: str) -> None:
    assert why_ignored(named(name, NUMBERS[:99] + NUMBERS[:101]), OUTCOME) == ""


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        *(("retention_offer_made", True), ("MadeCallToRetentionTeam", True), ("Save desk calls", True)),
        *(("data retention days", False), ("offers seen", False), ("calls", False)),
    ],
)
def test_what_is_done_for_who_wants_to_leave_is_asked_about_by_its_name(name: str, asked: bool) -> None:
    said = suspect(named(name), OUTCOME, "yes")
    assert [one.startswith("by its name, what a company does for who wants to leave") for one in said] == [True] * asked


def test_a_hundred_whole_numbers_may_be_an_id_and_fewer_may_be_a_quantity() -> None:
    outcome = profile(["yes", "no", "no"] * 33, "Churn")
    assert why_ignored(named("x", NUMBERS[:99]), outcome) == ""
    assert why_ignored(named("x", [*NUMBERS[:198], NUMBERS[0], NUMBERS[1]]), OUTCOME) == ""
    assert why_ignored(named("gender", [f"text {n}" for n in range(ROWS)]), OUTCOME) == ""


def test_a_column_that_tells_the_outcome_in_every_row_is_one_known_afterwards() -> None:
    leaks = ["price" if n % 3 == 0 else "none given" for n in range(ROWS)]
    told = "it tells the outcome in every row"
    assert why_ignored(named("reason", leaks), OUTCOME).startswith(told)
    assert why_ignored(named("reason", ["price" if n % 3 == 0 else None for n in range(ROWS)]), OUTCOME) != ""
    filled = [("price" if n % 2 else "service") if n % 3 == 0 else None for n in range(ROWS)]
    assert why_ignored(named("reason", filled), OUTCOME).startswith(told)
    emptied = [None if n % 3 == 0 else ("a" if n % 2 else "b") for n in range(ROWS)]
    assert why_ignored(named("reason", emptied), OUTCOME).startswith(told)
    sparse = [f"{n}.5" if n % 20 == 0 else None for n in range(ROWS)]
    assert why_ignored(named("refund", sparse), OUTCOME) == "", "of the customers without a refund it says nothing"
    leaks[0] = "none given"
    assert why_ignored(named("reason", leaks), OUTCOME) == ""
    assert why_ignored(named("reason", ["price", "x", "x"] * 33), profile(["yes", "no", "no"] * 33, "Churn")) == ""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gender", True),
        ("SeniorCitizen", True),
        ("age", True),
        ("customer age", True),
        ("account age", False),
        ("Dependents", True),
        ("plan", False),
        ("average", False),
        *(
            (name, True)
            for name in ("Geschlecht", "Alter", "Staatsangehörigkeit", "Género", "État matrimonial", "Situação de deficiência")
        ),
        ("favourite genre", False),
    ],
)
def test_protected_groups_are_told_by_name(name: str, expected: bool) -> None:
    assert is_sensitive(named(name)) is expected


def test_a_code_is_a_whole_number_by_kind_and_a_code_by_name() -> None:
    assert is_code(named("area code", ["415", "408"] * 5))
    assert is_code(named("BRANCH_CD", ["11", "10"] * 5))
    assert not is_code(named("area code", ["a", "b"] * 5))
    assert not is_code(named("area", ["415", "408"] * 5))


def test_whole_numbers_with_zeros_before_them_are_a_code_whatever_its_name() -> None:
    # No quantity is written so: agent 00012 is not twelve times agent 00001.
    assert is_code(named("area", ["00001", "00040"] * 5))
    assert not is_code(named("share", ["0.5", "0.25"] * 5))
    assert not is_code(named("calls", ["0", "12"] * 5))
    many = named("agent", [str(n % 150).zfill(5) for n in range(ROWS)])
    assert why_ignored(many, OUTCOME) == (
        "a code of 150 levels, more than a category can have. If it is a quantity, say kind: integer, without a role"
    )


@pytest.mark.parametrize("spellings", [("Yes", "yes"), ("1", "1.0")], ids=str)
def test_what_is_noted_of_many_who_left_and_of_nobody_else_is_suspected_however_the_outcome_is_spelled(
    spellings: tuple[str, str],
) -> None:
    no = "0" if spellings[0] == "1" else "No"
    outcome = profile([no if row % 4 else spellings[row % 8 // 4] for row in range(400)], "Churn")
    call = named("call result", ["refused" if row % 4 == 0 and row % 20 > 4 else None for row in range(400)])
    [said] = suspect(call, outcome, spellings[0])
    assert said.startswith("60 of 100 rows of who left have values that (nearly) nobody who stayed has")
    noted_of_stayers = named("bond", ["until 2030" if row % 4 == 1 else "none" for row in range(400)])
    assert suspect(noted_of_stayers, outcome, spellings[0]) == ()
