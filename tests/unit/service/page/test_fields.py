"""The fields of the page: one a feature, with its bounds, in groups."""

from __future__ import annotations

from churn.contract import Column, load_contract
from churn.number_format import NumberFormat
from service.page.fields import Group, group_columns, render_groups
from tests.unit.service.page.test_render import Document, hostile_contract

CONTRACT = load_contract()


def test_neighbours_of_one_family_stand_together() -> None:
    groups = group_columns(CONTRACT.features)
    assert [group.title for group in groups] == ["Customer", "Total day", "Total eve", "Total night", "Total intl"]
    assert [column.name for group in groups for column in group.columns if group.words == "total_day"] == [
        "total_day_minutes",
        "total_day_calls",
        "total_day_charge",
    ]
    assert sorted(column.name for group in groups for column in group.columns) == sorted(CONTRACT.feature_names)


def test_many_columns_without_a_family_are_told_apart_by_kind() -> None:
    numbers = [Column(name=f"n{n}", source=f"N{n}", kind="number") for n in range(6)]
    flags = [Column(name=f"f{n}", source=f"F{n}", kind="flag") for n in range(6)]
    mixed = [column for pair in zip(flags, numbers, strict=True) for column in pair]
    assert group_columns(mixed) == [Group("Yes or no", flags), Group("Numbers", numbers)]
    assert group_columns(mixed[:4]) == [Group("Customer", mixed[:4])]


def test_what_must_be_said_cannot_be_left_unknown() -> None:
    form = render_groups(group_columns(hostile_contract().features), {})
    assert "Not known" not in form
    assert "Choose" in form
    assert "checked" not in form


def test_the_typical_value_stands_in_an_empty_number() -> None:
    form = render_groups(
        [Group("x", [CONTRACT["total_day_minutes"], CONTRACT["state"]])], {"total_day_minutes": 179.4, "state": "WV"}
    )
    assert Document(form).ids["field-total_day_minutes"]["placeholder"] == "179.4"


def test_a_column_with_decimal_commas_is_filled_in_with_them() -> None:
    minutes = CONTRACT["total_day_minutes"].model_copy(update={"number_format": NumberFormat(decimal=",", thousands=".")})
    form = Document(render_groups([Group("x", [minutes])], {minutes.name: 179.4}))
    assert form.ids["field-total_day_minutes"]["placeholder"] == "179,4"
    assert 'data-decimal=","' in render_groups([Group("x", [minutes])], {})
