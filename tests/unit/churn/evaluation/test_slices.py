from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn.config.params import EvaluationParams, SliceParams
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation import slices
from churn.evaluation.scorecard import evaluate
from churn.evaluation.slices import Slice, find_slices, gaps_of, score_slices, slices_of

SMALL = SliceParams(min_rows=4, min_churners=1, bands={"tenure": [12, 24]})
COLUMNS: list[dict[str, Any]] = [
    {"name": "plan", "source": "Plan", "kind": "category", "levels": ["a", "b", "c", "d"], "nullable": True},
    {"name": "senior", "source": "Senior", "kind": "flag", "true_level": "old", "false_level": "young", "nullable": True},
    {"name": "tenure", "source": "Tenure", "kind": "number", "nullable": True},
    {"name": "charge", "source": "Charge", "kind": "number"},
    {"name": "gender", "source": "Gender", "kind": "category", "role": "sensitive"},
    {"name": "age", "source": "Age", "kind": "number", "role": "sensitive"},
    {"name": "partner", "source": "Partner", "kind": "flag", "role": "sensitive"},
]
CONTRACT = Contract.model_validate({"name": "small", "columns": COLUMNS})


def customers(n: int = 8, sensitive: pd.DataFrame | None = None, **columns: Any) -> Labelled:
    """Every other one churned; where nothing is said all are alike."""
    same = {"plan": "a", "senior": 0.0, "tenure": 1.0, "charge": np.arange(float(n))}
    return Labelled(pd.DataFrame({**same, **columns}, index=range(n)), pd.Series(np.arange(n) % 2), sensitive)


def found(known: Labelled, params: SliceParams = SMALL) -> dict[str, list[int]]:
    return {f"{s.column}: {s.level}": np.flatnonzero(s.rows).tolist() for s in slices_of(known, CONTRACT, params)}


def test_categories_flags_and_bands_are_sliced_by_level() -> None:
    known = customers(plan=["a"] * 4 + ["b"] * 4, senior=[0.0, 0.0, 1.0, 1.0] * 2, tenure=[11.9, 0, 3, 4, 24, 30, 99, 24.5])
    assert found(known) == {
        "plan: a": [0, 1, 2, 3],
        "plan: b": [4, 5, 6, 7],
        "senior: young": [0, 1, 4, 5],
        "senior: old": [2, 3, 6, 7],
        "tenure: under 12": [0, 1, 2, 3],
        "tenure: 24 and more": [4, 5, 6, 7],
    }


def test_a_band_holds_its_lower_edge() -> None:
    known = customers(12, tenure=[0.0] * 4 + [12.0, 12, 23.9, 23.9] + [24.0] * 4)
    assert found(known)["tenure: 12 to 24"] == [4, 5, 6, 7]


def test_small_levels_are_pooled() -> None:
    assert found(customers(plan=list("aaaabbcc"))) == {"plan: a": [0, 1, 2, 3], "plan: other (2 levels)": [4, 5, 6, 7]}


def test_levels_too_small_even_together_are_left_out_and_told() -> None:
    known = customers(9, plan=[*"aaaabbbbc"])
    slices, notes = find_slices(known, CONTRACT, SMALL)
    assert {s.level for s in slices if s.column == "plan"} == {"a", "b"}
    assert [note for note in notes if note.startswith("plan: 1 of 9 customers")]


@pytest.mark.parametrize("level", [0, 1])
def test_a_level_of_one_class_is_too_small_whatever_its_rows(level: int) -> None:
    known = customers(plan=list("aaaabbbb"))
    turned = Labelled(known.features, pd.Series([0, 1, 0, 1] + [level] * 4))
    assert found(turned) == {"plan: a": [0, 1, 2, 3]}


def test_missing_values_are_a_level_of_their_own() -> None:
    known = customers(plan=["a"] * 4 + [None] * 4, senior=[np.nan] * 4 + [1.0] * 4, tenure=[1.0] * 4 + [np.nan] * 4)
    for name in ("plan: missing", "tenure: missing"):
        assert found(known)[name] == [4, 5, 6, 7]
    assert found(known)["senior: missing"] == [0, 1, 2, 3]


def test_a_slice_that_is_everybody_tells_nothing_and_is_none() -> None:
    slices, notes = find_slices(customers(plan=list("abcdabcd")), CONTRACT, SMALL)
    assert slices == []
    assert [note.split(":")[0] for note in notes] == ["plan", "senior", "tenure"]


def test_bands_of_a_column_that_the_contract_lacks_are_left_aside_with_a_note() -> None:
    params = SMALL.model_copy(update={"bands": {"account_lenght": [50.0], "plan": [1.0], "account_length": [50.0]}})
    slices, notes = find_slices(customers(plan=list("aaaabbbb")), CONTRACT, params)
    assert {s.column for s in slices} == {"plan"}
    assert [note.split(":")[0] for note in notes if "no numeric feature" in note] == ["account_lenght", "plan"], (
        "not those that come with it"
    )


def test_sensitive_columns_are_sliced_by_level_and_numbers_by_quarter() -> None:
    sensitive = pd.DataFrame(
        {"gender": list("ffmm") * 4, "age": np.arange(20.0, 36.0), "partner": [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0] * 2}
    )
    levels = found(customers(16, sensitive))
    assert list(levels) == [
        *("gender: f", "gender: m"),
        *("age: under 23.75", "age: 23.75 to 27.5", "age: 27.5 to 31.25", "age: 31.25 and more"),
        *("partner: No", "partner: Yes"),
    ]
    assert levels["age: 23.75 to 27.5"] == [4, 5, 6, 7]
    assert levels["partner: Yes"] == [4, 5, 6, 7, 12, 13, 14, 15]


def test_a_sensitive_number_of_few_values_is_sliced_by_value() -> None:
    assert list(found(customers(sensitive=pd.DataFrame({"age": [0.0, 0, 0, 0, 1, 1, 1, 1]})))) == ["age: 0", "age: 1"]


@pytest.mark.parametrize(("values", "by_value"), [(4, True), (5, False)])
def test_a_number_of_up_to_four_values_has_levels_and_one_of_more_has_bands(values: int, by_value: bool) -> None:
    sensitive = pd.DataFrame({"age": np.repeat(np.arange(float(values)), 20 // values)})
    names = list(found(customers(20, sensitive)))
    assert len(names) > 2
    assert (names == [f"age: {n}" for n in range(values)]) is by_value


def test_a_sensitive_column_that_is_empty_has_no_slice() -> None:
    sensitive = pd.DataFrame({"age": [np.nan] * 8, "gender": [None] * 8})
    assert found(customers(sensitive=sensitive)) == {}


def test_the_real_contract_s_plans_and_bands_are_there_by_default(contract: Contract) -> None:
    assert SliceParams().bands["account_length"] == [50, 100, 150]
    assert contract["account_length"].is_numeric


def scored() -> tuple[np.ndarray, np.ndarray, list[Slice]]:
    rng = np.random.default_rng(4)
    outcome, probability = (rng.random(400) < 0.3).astype(int), rng.random(400)
    first = np.arange(400) < 150
    return outcome, probability, [Slice("plan", "a", first), Slice("plan", "b", ~first), Slice("senior", "old", first)]


def test_a_slice_is_scored_as_if_there_were_no_other() -> None:
    outcome, probability, slices = scored()
    table = score_slices(outcome, probability, 0.5, slices, EvaluationParams(resamples=100), seed=1)
    assert table[["column", "level", "rows"]].to_numpy().tolist() == [
        ["plan", "a", 150],
        ["plan", "b", 250],
        ["senior", "old", 150],
    ]
    card = evaluate(outcome[150:], probability[150:], 0.5)
    row = table.iloc[1]
    for name in ("churn_rate", "roc_auc", "brier", "log_loss", "calibration_gap", "selection_rate", "precision", "recall"):
        assert row[name] == getattr(card, name)
    assert row["churned"] == card.churn_rate * card.rows
    for name in ("roc_auc", "log_loss", "calibration_gap", "recall"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]


def test_gaps_are_between_the_levels_of_one_column() -> None:
    outcome, probability, slices = scored()
    table = score_slices(outcome, probability, 0.5, slices, EvaluationParams(resamples=100), seed=1)
    gaps = gaps_of(table)
    assert gaps[["column", "levels"]].to_numpy().tolist() == [["plan", 2]]
    for name in ("recall", "selection_rate", "churn_rate"):
        assert gaps[name].item() == pytest.approx(abs(table[name][0] - table[name][1]))


def test_no_slices_make_empty_tables_with_their_columns() -> None:
    table = score_slices(np.array([0, 1]), np.array([0.1, 0.9]), 0.5, [], EvaluationParams(), seed=1)
    assert table.empty
    assert {"column", "log_loss_high"} <= set(table)
    assert gaps_of(table).empty


def test_of_ten_thousand_levels_only_those_with_rows_enough_are_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    real = slices._Sizes.enough

    def counted(sizes: Any, rows: np.ndarray) -> bool:
        looked_at.append(int(rows.sum()))
        return real(sizes, rows)

    monkeypatch.setattr(slices._Sizes, "enough", counted)
    gender = ["f"] * 4 + ["m"] * 4 + [f"alone {number}" for number in range(10_000)]
    known = customers(10_008, pd.DataFrame({"gender": gender}))
    gender_slices = {name: rows for name, rows in found(known).items() if name.startswith("gender")}
    assert {name: len(rows) for name, rows in gender_slices.items()} == {
        "gender: f": 4,
        "gender: m": 4,
        "gender: other (10000 levels)": 10_000,
    }
    assert sorted(looked_at)[:3] == [4, 4, 10_000]
