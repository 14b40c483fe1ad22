from __future__ import annotations

from pathlib import Path

import pytest

from churn.contract_draft.target import find_target, listed, names_outcome, outcome_levels
from churn.errors import InputError
from tests.unit.churn.contract_draft.profiles import profile, profiles_of

FILE = Path("file.csv")
TWO, THREE = ["yes", "no", "no"], ["a", "b", "c"]


def find(columns: dict[str, list[object]], named: str | None = None) -> str:
    return find_target(profiles_of(columns), named, FILE)


@pytest.mark.parametrize(
    "name",
    [
        *("Churn", "Customer churned?", "Exited", "ATTRITION_flag", "left", "Cancelled", "gekündigt", "Résilié"),
        *("LAPSED_IND", "Surrendered", "policyLapse", "unsubscribed", "Cancellation"),
    ],
)
def test_a_column_of_two_levels_that_is_named_like_an_outcome_is_it(name: str) -> None:
    assert find({"plan": TWO, name: TWO, "state": THREE}) == name
    assert names_outcome(profile(TWO, name))


def test_without_such_a_name_one_of_whose_levels_say_it() -> None:
    columns: dict[str, list[object]] = {"Region": ["EMEA", "APAC", "EMEA"], "Status": ["active", "cancelled", "active"]}
    assert find(columns) == "Status"
    assert find(columns | {"Churned": TWO}) == "Churned"
    with pytest.raises(InputError, match="'Status', 'Account' may all be the outcome"):
        find(columns | {"Account": ["open", "closed", "open"]})


@pytest.mark.parametrize("name", ["is_active", "Active", "RetainedFlag", "customer_active", "still_active", "renewed"])
def test_alone_a_flag_of_who_stayed_is_the_outcome_turned_round(name: str) -> None:
    flag: list[object] = ["1", "0", "1"]
    assert find({"plan": TWO, name: flag}) == name
    assert find({"Exited": TWO, name: flag}) == "Exited"
    assert outcome_levels(profile(flag, name)) == ("0", "1")
    with pytest.raises(InputError, match="no column of two levels"):
        find({"loyal": TWO, name: flag})


@pytest.mark.parametrize("name", ["active_campaigns", "retention", "not_active_promo", "current_plan", "existing loan"])
def test_a_flag_of_something_else_that_is_active_is_not_the_outcome(name: str) -> None:
    with pytest.raises(InputError, match="no column of two levels"):
        find({"plan": TWO, name: ["1", "0", "1"]})


def test_one_that_a_person_named_is_taken_whatever_its_name() -> None:
    assert find({"churn": TWO, "gone": ["x", "y", "x"]}, "gone") == "gone"
    with pytest.raises(InputError, match=r"file.csv: --target: there is no column 'x'; there are 'churn'"):
        find({"churn": TWO}, "x")
    with pytest.raises(InputError, match="--target: 'empty' has no value at all, and both outcomes are needed"):
        find({"churn": TWO, "empty": [None, None]}, "empty")
    with pytest.raises(InputError, match=r"--target: 'state' has 3 levels \('a', 'b', 'c'\), and an outcome has two"):
        find({"churn": TWO, "state": THREE}, "state")


def test_a_reason_for_leaving_is_not_the_outcome() -> None:
    assert find({"Churn Reason": ["price", "service", "price"], "Churn": TWO}) == "Churn"
    with pytest.raises(InputError, match="'Churn', 'Exited' may all be the outcome; name it with --target"):
        find({"Churn": TWO, "Exited": TWO})


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"churn": THREE, "x": TWO}, r"'churn' has 3 levels \('a', 'b', 'c'\).* or name another column with --target"),
        ({"status": ["Stayed", "Churned", "Joined"], "x": TWO}, "'status' has 3 levels"),
        ({"churn": ["yes"] * 3, "x": TWO}, r"'churn' has one level only \('yes'\), and both outcomes are needed to learn$"),
        ({"churn": ["yes", None, ""], "x": TWO}, "; if its 2 blank cells say the other outcome, write so in them"),
        ({f"flag {n}": TWO for n in range(30)}, "'flag 29'"),
        ({"x": TWO, "y": TWO}, r"no column of two levels is named like an outcome .* Two levels have: 'x', 'y'"),
        ({"x": THREE}, "Two levels have: none"),
    ],
)
def test_what_is_not_clear_says_what_to_do(columns: dict[str, list[object]], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        find(columns)


def test_more_than_ten_levels_are_no_outcome_in_too_many_words() -> None:
    levels = [f"churned {chr(97 + n)}" for n in range(11)]
    with pytest.raises(InputError, match="has 10 levels"):
        find({"status": levels[:10]})
    with pytest.raises(InputError, match="no column of two levels"):
        find({"status": levels * 10})
    with pytest.raises(InputError, match="'status' has 11 levels, and"):
        find({"status": levels * 10}, "status")


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (TWO, ("yes", "no")),
        (["Existing Customer", "Attrited Customer"], ("Attrited Customer", "Existing Customer")),
        (["stayed", "Left"], ("Left", "stayed")),
        (["Bestand", "Gekündigt"], ("Gekündigt", "Bestand")),
        (["Churned", "Churned later"], None),
        (["Churn", "No Churn"], ("Churn", "No Churn")),
        (["churner", "non-churner"], ("churner", "non-churner")),
        (["NotChurned", "Churned"], ("Churned", "NotChurned")),
        (["not_yet_cancelled", "cancelled"], ("cancelled", "not_yet_cancelled")),
        (["gekündigt", "Nicht gekündigt"], ("gekündigt", "Nicht gekündigt")),
        (["No Attrition", "Attrition: none given"], ("Attrition: none given", "No Attrition")),
        (["a", "b"], None),
        (["left", "stayed", "new"], None),
    ],
)
def test_the_words_of_the_levels_tell_who_left(values: list[object], levels: tuple[str, str] | None) -> None:
    assert outcome_levels(profile(values)) == levels


def test_a_list_is_cut() -> None:
    assert listed(["a", "b"]) == "'a', 'b'"
    assert listed([]) == ""
    assert listed(map(str, range(12))).endswith("'9' and 2 more")
    assert listed("abc", max_names=3) == "'a', 'b', 'c'"
