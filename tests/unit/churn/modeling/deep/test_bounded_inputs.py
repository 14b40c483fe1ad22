from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.modeling.deep.bounded_inputs import BoundedInputs

FRAME = pd.DataFrame(
    {
        "minutes": [*np.linspace(10, 110, 99), np.nan],
        "charge": [*np.linspace(5, 55, 99), np.nan],
        "calls": [float(n % 5) for n in range(100)],
        "region": [*["north"] * 70, *["south"] * 25, *["west"] * 5],
    }
)
LEVELS = {"region": ["north", "south", "west", "east"]}


@pytest.fixture
def fitted() -> BoundedInputs:
    relations = {"charge": ("minutes", 0.5), "minutes": ("charge", 2.0)}
    return BoundedInputs({"use": ["minutes", "calls"]}, relations, LEVELS).fit(FRAME)


def rows(fitted: BoundedInputs, *customers: tuple[float, float, float, str | None]) -> list[list[float]]:
    frame = pd.DataFrame(customers, columns=list(FRAME)).astype({"region": object})
    return fitted.transform(frame).tolist()


def test_numbers_sums_and_all_levels_of_the_contract_have_a_place(fitted: BoundedInputs) -> None:
    names = [*("minutes", "charge", "calls", "use"), *(f"region = {level}" for level in LEVELS["region"])]
    assert fitted.get_feature_names_out().tolist() == names
    assert rows(fitted, (60, 30, 2, "south")) == [[60, 30, 2, 62, 0, 1, 0, 0]]


def test_levels_that_few_have_are_no_input(fitted: BoundedInputs) -> None:
    assert rows(fitted, (60, 30, 2, "west"), (60, 30, 2, "east")) == [[60, 30, 2, 62, 0, 0, 0, 0]] * 2
    # Where a level is not known, the most frequent one counts.
    assert rows(fitted, (60, 30, 2, None)) == [[60, 30, 2, 62, 1, 0, 0, 0]]


def test_numbers_end_where_usual_ones_do(fitted: BoundedInputs) -> None:
    (high, low) = rows(fitted, (1e300, 1e300, 99, "north"), (-1e300, -5, -3, "north"))
    assert high[:4] == fitted.bounds_[:4, 1].tolist()
    assert low[:4] == fitted.bounds_[:4, 0].tolist()
    assert fitted.bounds_[2].tolist() == [0, 4]  # of few values each counts
    assert 10 < fitted.bounds_[0, 0] < 12
    assert 108 < fitted.bounds_[0, 1] < 110


def test_a_missing_number_is_left_to_the_imputer_unless_it_follows(fitted: BoundedInputs) -> None:
    (followed, unknown) = rows(fitted, (60, np.nan, 2, "north"), (np.nan, np.nan, np.nan, "north"))
    assert followed == [60, 30, 2, 62, 1, 0, 0, 0]
    assert np.isnan(unknown[:3]).all()
    assert unknown[3] == 60 + 2


def test_columns_without_any_value_are_constant() -> None:
    frame = pd.DataFrame({"minutes": [np.nan] * 30, "region": pd.Series([None] * 30, dtype=object)})
    fitted = BoundedInputs(levels=LEVELS).fit(frame)
    assert fitted.bounds_.tolist() == [[0, 0]] * 5
    assert fitted.transform(frame)[:, 1:].tolist() == [[0, 0, 0, 0]] * 30
