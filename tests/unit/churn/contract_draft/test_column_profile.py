"""What a column's cells say it is."""

from __future__ import annotations

from datetime import date
from unittest.mock import Mock

import pytest

from churn.contract_draft import column_profile
from churn.contract_draft.cell_texts import cell_texts
from churn.contract_draft.column_profile import MAX_LEVELS
from tests.unit.churn.contract_draft.profiles import profile, profiles_of


@pytest.mark.parametrize(
    ("values", "kind", "levels"),
    [
        (["yes", "no", "yes"], "flag", ("yes", "no")),
        (["Ja", "Nein", "Ja"], "flag", ("Ja", "Nein")),
        (["1", "0", "0"], "flag", ("1", "0")),
        (["1.0", "0.0", "0.0"], "flag", ("1", "0")),
        (["T", "F"], "flag", ("T", "F")),
        (["YES", "No", "No", "no"], "flag", ("YES", "No")),
        ([True, False, None], "flag", ("true", "false")),
        (["red", "blue", "red"], "category", ("blue", "red")),
        (["yes", "no", "maybe"], "category", ("maybe", "no", "yes")),
        (["1.5", "2.5"], "number", ("1.5", "2.5")),
        (["1", "2"], "integer", ("1", "2")),
        ([1.0, 2.0, None], "integer", ("1", "2")),
        ([], None, ()),
        (["", " ", None], None, ()),
    ],
)
def test_its_kind_and_its_levels(values: list[object], kind: str | None, levels: tuple[str, ...]) -> None:
    found = profile(values)
    assert found.kind == kind
    assert tuple(level.lower() for level in found.levels) == tuple(level.lower() for level in levels)


def test_cells_are_counted() -> None:
    found = profile(["3", "5", "", "NA", "5", None], "Day minutes")
    assert (found.source, found.words) == ("Day minutes", ("day", "minutes"))
    assert (found.missing, found.different, found.rows) == (3, 2, 6)
    assert (found.missing_texts, found.counts) == ({"NA": 1}, {"3": 1, "5": 2})
    assert (found.minimum, found.number_share) == (3.0, 1.0)
    assert not found.is_constant
    assert found.has_two_levels


def test_two_levels_are_those_of_a_flag_or_two_values_and_one_alone_is_constant() -> None:
    assert profile(["yes", "no", "no"]).has_two_levels
    assert not profile(["a", "b", "c"]).has_two_levels
    assert profile(["a", "a"]).is_constant
    assert not profile(["a", None]).is_constant


def test_none_is_a_level_like_another_where_texts_are_levels() -> None:
    found = profile(["airbag", "none", "none", ""], "airbags")
    assert (found.kind, found.levels) == ("category", ("airbag", "none"))
    assert (found.missing, found.different, found.counts) == (1, 2, {"airbag": 1, "none": 2})
    assert found.values.tolist() == ["airbag", "none", "none", None]
    assert not found.is_constant
    assert found.has_two_levels


@pytest.mark.parametrize("rows", [19, 20])
def test_twenty_rows_prove_that_it_numbers_them_or_that_each_has_its_own(rows: int) -> None:
    enough = rows == 20
    for first in (0, 1):
        found = profile([str(n) for n in range(first, first + rows)])
        assert (found.numbers_rows, found.unique) == (enough, enough)
    assert not profile([str(n) for n in range(2, 2 + rows)]).numbers_rows
    assert not profile([*(str(n) for n in range(rows)), None]).numbers_rows
    assert not profile([*(str(n) for n in range(rows)), "0"]).unique


@pytest.mark.parametrize(
    "text",
    [
        *("2026-03-01", "1.3.2026", "01/03/26", "3-Mar-2026", "March 2026", "1. März 2026", "2026-03-01 12:00:05"),
        *("2026-03", "2026/03", "03/2026", "03.2026", "202603", "20260331"),
    ],
)
def test_dates_are_no_levels(text: str) -> None:
    found = profile([text] * 9 + ["unknown"])
    assert (found.kind, found.is_date) == (None, True)
    assert not profile([text] * 8 + ["unknown"] * 2).is_date


@pytest.mark.parametrize("text", ["2026.13", "202613", "20260332", "20261301", "2026", "180003", "2026-13", "2026030"])
def test_numbers_that_look_a_little_like_dates_are_none(text: str) -> None:
    assert not profile([text] * 10).is_date


def test_a_typed_date_is_one_too() -> None:
    assert profile([date(2026, 3, 1), date(2026, 3, 2)]).is_date


def test_more_than_sixty_levels_are_free_text_and_so_is_one_for_nearly_every_row() -> None:
    levels = [f"level {chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(MAX_LEVELS + 1)]
    assert profile(levels[:-1] * 5).kind == "category"
    assert profile(levels * 5).kind is None
    assert profile(levels[:10]).kind == "category"
    assert profile(levels[:11]).kind is None
    assert profile(levels[:11] * 5).kind == "category"
    assert profile(levels[:11] * 4).kind is None


def test_a_remark_is_no_level() -> None:
    assert profile(["x" * 100, "b"] * 5).kind == "category"
    assert profile(["x" * 101, "b"] * 5).kind is None


def test_none_is_a_level_beside_others_and_na_only_among_codes() -> None:
    found = profile(["Offer A", "None", "Offer B"] * 5)
    assert found.levels == ("None", "Offer A", "Offer B")
    assert (found.missing, found.missing_texts) == (0, {})
    assert profile(["US", "NA", "DE"] * 5).levels == ("DE", "NA", "US")
    other = profile(["Asia", "NA", "Europe"] * 5)
    assert (other.levels, other.missing) == (("Asia", "Europe"), 5)


def test_placeholders_beside_a_flag_and_odd_texts_beside_numbers_count_as_missing() -> None:
    flag = profile(["yes", "no", "?"] * 5)
    assert (flag.kind, flag.missing, flag.odd_texts) == ("flag", 5, {"?": 5})
    number = profile([*(f"{n}.5" for n in range(100)), "oops"])
    assert (number.kind, number.missing, number.odd_texts) == ("number", 1, {"oops": 1})
    assert number.numbers is not None


def test_numbers_beyond_what_a_float_counts_are_no_integers() -> None:
    assert profile([str(2**53 - 1), "1"]).kind == "integer"
    assert profile([str(2**53), "1"]).kind == "number"
    assert profile(["-1.5", "2"]).minimum == -1.5


def test_pandas_own_index_is_no_column() -> None:
    assert "__index_level_0__" not in profiles_of({"a": [1], "__index_level_0__": [1]})


def test_cells_of_many_different_texts_are_not_read_again_for_their_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Mock(wraps=cell_texts)
    monkeypatch.setattr(column_profile, "cell_texts", read)
    found = profile([f"{number}.5" for number in range(MAX_LEVELS + 1)])
    assert (found.kind, found.levels, read.call_count) == ("number", (), 1)
