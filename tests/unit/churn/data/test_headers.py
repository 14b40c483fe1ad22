from __future__ import annotations

import pytest

from churn.contract import Column, Contract
from churn.data.headers import find_columns, id_name_of
from churn.errors import ContractError, Problem

COLUMNS = (
    Column(name="day_minutes", source="Day Minutes", kind="number"),
    Column(name="plan", source="Plan", kind="flag"),
)
PLAIN = Contract(name="plain", columns=COLUMNS)
NAMED = Contract(name="named", columns=(*COLUMNS, Column(name="phone", source="Phone No", kind="category", role="id")))


def find(names: list[str], contract: Contract = PLAIN, needed: tuple[str, ...] = ()) -> dict[str, str]:
    return find_columns("file.csv", names, contract, needed)


def problems(names: list[str], contract: Contract = PLAIN, needed: tuple[str, ...] = ()) -> list[Problem]:
    with pytest.raises(ContractError) as caught:
        find(names, contract, needed)
    assert str(caught.value).startswith("file.csv: ")
    return caught.value.problems


def test_a_column_is_found_by_the_source_s_name_and_by_the_contract_s() -> None:
    assert find(["Day Minutes", "plan", "Churn", "other"]) == {"day_minutes": "Day Minutes", "plan": "plan", "churn": "Churn"}
    assert find(["day_minutes", " Plan ", "churn"]) == {"day_minutes": "day_minutes", "plan": " Plan ", "churn": "churn"}
    assert find([]) == {}


def test_the_customer_s_id_may_have_the_contract_s_own_name_or_the_common_one() -> None:
    assert find(["customer_id"]) == {"customer_id": "customer_id"}
    assert find(["Customer ID"]) == {"customer_id": "Customer ID"}
    for given in ("Phone No", "phone", "customer_id"):
        assert find([given], NAMED) == {"phone": given}
    assert (id_name_of(PLAIN), id_name_of(NAMED)) == ("customer_id", "phone")


def test_a_column_that_is_needed_and_missing_is_named_with_what_is_like_it() -> None:
    (missing,) = problems(["Plan"], needed=("day_minutes",))
    assert (missing.column, missing.rule) == ("day_minutes", "column is missing (in the source: 'Day Minutes')")
    (near,) = problems(["Plan", "Day Minute"], needed=("day_minutes", "plan"))
    assert near.rule.endswith("; is it 'Day Minute'?")
    assert find(["Plan"], needed=("plan",)) == {"plan": "Plan"}


def test_a_column_that_is_there_twice_is_refused_whoever_needs_it() -> None:
    (twice,) = problems(["Day Minutes", "day_minutes"])
    assert (twice.column, twice.rule) == ("day_minutes", "column is there twice, as 'Day Minutes' and as 'day_minutes'")
    (same,) = problems(["x", "x"])
    assert (same.column, same.rule) == ("x", "the file has two columns of this name")
    assert len(problems(["Day Minutes", "day_minutes"], needed=("plan", "churn"))) == 3


def test_only_the_first_ten_unknown_names_are_compared() -> None:
    strangers = [f"zz{n}" for n in range(10)]
    (missing,) = problems([*strangers, "Day Minute"], needed=("day_minutes",))
    assert "is it" not in missing.rule
    (missing,) = problems([*strangers[:9], "Day Minute"], needed=("day_minutes",))
    assert "is it" in missing.rule


@pytest.mark.parametrize(
    ("given", "meant"),
    [("DAY MINUTES", "day_minutes"), ("\ufeffphone_no", "phone"), ("Phone  No", "phone"), ("Customer_ID", "phone")],
)
def test_what_differs_in_capitals_or_blanks_alone_is_not_left_aside(given: str, meant: str) -> None:
    (problem,) = problems(["plan", given], NAMED)
    assert problem.column == meant
    assert f"is it {given!r}?" in problem.rule
    source = {"day_minutes": "Day Minutes", "phone": "Phone No"}[meant]
    assert find(["plan", given, source], NAMED)[meant] == source
