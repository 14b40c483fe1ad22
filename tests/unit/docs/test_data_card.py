"""The data card against the contract and, where they are there, the customers themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from churn.contract import Contract
from churn.data.dataset import read_dataset
from tests.checkout import CHECKOUT

CARD = (CHECKOUT / "docs" / "data-card.md").read_text("utf-8")
PROSE = " ".join(CARD.split())
ROWS = {
    cells[0].strip("` "): [cell.strip() for cell in cells[1:]]
    for cells in (line.strip("|").split("|") for line in CARD.splitlines() if re.match(r"\| `\w+` \|", line))
}


def test_every_column_of_the_contract_is_listed_in_its_order(contract: Contract) -> None:
    assert list(ROWS) == [column.name for column in contract.columns] + [contract.target.column]


def test_kinds_units_and_meanings_are_those_of_the_contract(contract: Contract) -> None:
    for column in contract.columns:
        kind, unit, _, _, what = ROWS[column.name]
        assert (kind, unit) == (column.kind, column.unit or ""), column.name
        assert what.startswith(column.description.rstrip(".").removesuffix(" (USPS code)")), column.name


def test_charges_are_said_with_the_rates_that_the_contract_checks(contract: Contract) -> None:
    for check in contract.checks:
        assert ROWS[check.column][4].endswith(f": \N{MULTIPLICATION SIGN} {check.times:g}."), check.column


@pytest.mark.parametrize(
    "section", ["Where it comes from", "What is in it", "Who leaves", "Sensitive attributes", "What it is for, and what not"]
)
def test_what_a_data_card_must_tell_has_a_section(section: str) -> None:
    assert f"\n## {section}\n" in CARD


def test_ranges_and_means_are_those_of_the_file(contract: Contract, real_data: Path) -> None:
    dataset = read_dataset(real_data, contract)
    for column in contract.features:
        values = dataset.features[column.name]
        _, _, found, mean, _ = ROWS[column.name]
        if column.kind == "flag":
            assert mean == f"{values.mean():.1%}".replace("%", " %")
        elif column.kind != "category":
            low, high = map(float, found.split(" to "))
            assert (low, high) == (values.min(), values.max()), column.name
            assert round(values.mean(), len(mean.partition(".")[2])) == float(mean), column.name
    assert ROWS["churn"][3] == "14.5 %"
    assert f"{dataset.labelled.sum()} customers" in PROSE
    assert not pd.DataFrame(dataset.features).duplicated().any()


def test_states_differ_as_told(contract: Contract, real_data: Path) -> None:
    dataset = read_dataset(real_data, contract)
    states = dataset.labelled.groupby(dataset.features["state"]).agg(["sum", "size"])
    for state, churned, customers in re.findall(r"\((\w\w), (\d+) of (\d+)\)", PROSE):
        assert tuple(states.loc[state]) == (int(churned), int(customers))
    assert f"{states['size'].min()} to {states['size'].max()} customers" in PROSE
