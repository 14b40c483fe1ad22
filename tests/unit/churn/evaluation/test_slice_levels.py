from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.config.params import SliceParams
from churn.contract import Contract
from churn.evaluation.slice_levels import FEW, MISSING, sliced_levels

CONTRACT = Contract.model_validate(
    {
        "name": "small",
        "columns": [
            {"name": "senior", "source": "Senior", "kind": "flag", "true_level": "old", "false_level": "young", "nullable": True},
            {"name": "zone", "source": "Zone", "kind": "category", "levels": ["1", "2"], "nullable": True},
            {"name": "tenure", "source": "Tenure", "kind": "number", "nullable": True},
            {"name": "charge", "source": "Charge", "kind": "number"},
            {"name": "age", "source": "Age", "kind": "number", "role": "sensitive"},
        ],
    }
)
BANDS = SliceParams(bands={"tenure": [12, 24]})


def levels_of(features: pd.DataFrame, sensitive: pd.DataFrame | None = None) -> dict[str, list[str]]:
    return {name: levels.astype(str).tolist() for name, levels in sliced_levels(features, sensitive, CONTRACT, BANDS)}


def test_flags_have_the_contract_s_words_and_numbers_their_band_lower_edge_included() -> None:
    features = pd.DataFrame({"tenure": [11.9, 12.0, 24.0], "senior": [0.0, 1.0, np.nan], "charge": [1.0, 2.0, 3.0]})
    # In the contract's order; a number without bands has no levels, and a column that is absent has none.
    assert list(levels_of(features).items()) == [
        ("senior", ["young", "old", MISSING]),
        ("tenure", ["under 12", "12 to 24", "24 and more"]),
    ]


def test_a_level_that_is_a_number_is_written_as_the_contract_writes_it() -> None:
    assert levels_of(pd.DataFrame({"zone": pd.Series([1.0, None, 2.0], dtype=object)})) == {"zone": ["1", MISSING, "2"]}


@pytest.mark.parametrize(("values", "first"), [(FEW, "0"), (FEW + 1, "under 1")])
def test_a_sensitive_number_has_levels_if_it_has_few_values_and_quarters_if_more(values: int, first: str) -> None:
    sensitive = pd.DataFrame({"age": np.arange(float(values))})
    assert levels_of(pd.DataFrame(index=range(values)), sensitive)["age"][0] == first


def test_of_a_sensitive_column_that_is_not_sent_nothing_is_made() -> None:
    assert levels_of(pd.DataFrame({"charge": [1.0]}), None) == levels_of(pd.DataFrame({"charge": [1.0]}), pd.DataFrame()) == {}
