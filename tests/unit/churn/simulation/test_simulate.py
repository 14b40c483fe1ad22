from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from churn.contract import Check, Column, Contract, load_contract
from churn.customers.cell_rule import CellRule
from churn.data.dataset import Dataset, read_dataset
from churn.errors import ChurnError, InputError
from churn.modeling.model import build_pipeline
from churn.simulation.mechanism import Condition, Effect, Rule
from churn.simulation.population import read_population
from churn.simulation.shift import Drift, Extra, Mix, Shift
from churn.simulation.simulate import SCENARIOS, simulate, write_csv

CHARGES = {"day": 0.17, "eve": 0.085, "night": 0.045, "intl": 0.27}
MINUTES = [f"total_{when}_minutes" for when in CHARGES]
NUMBERS = [*MINUTES, "total_day_calls", "account_length", "customer_service_calls", "number_vmail_messages"]


def keeps_relations(features: pd.DataFrame) -> bool:
    return all(
        (features[f"total_{when}_charge"] - features[f"total_{when}_minutes"] * rate).abs().max() <= 0.01 + 1e-9
        for when, rate in CHARGES.items()
    )


def assert_keeps(data: Dataset, contract: Contract) -> None:
    """Every simulated value keeps the contract, as it is already: nothing is to be read out of texts."""
    assert list(data.features) == contract.feature_names
    for column in contract.features:
        rule, kind = CellRule(column), float if column.is_numeric else str
        for value in data.features[column.name].dropna():
            assert type(value) is kind
            assert rule.read(value) == value
    assert set(data.labelled) <= {0, 1}


@given(
    seed=st.integers(0, 2**32),
    scale=st.dictionaries(st.sampled_from(NUMBERS), st.floats(-3, 1e6), max_size=3),
    move=st.dictionaries(st.sampled_from(NUMBERS), st.floats(-1e6, 1e6), max_size=3),
    share=st.floats(0, 1),
    missing=st.dictionaries(st.sampled_from(["state", "voice_mail_plan", "total_day_minutes"]), st.floats(0, 1)),
    mixed=st.floats(0, 1),
)
@settings(max_examples=40)
def test_whatever_the_knobs_the_contract_is_kept(
    seed: int, scale: dict[str, float], move: dict[str, float], share: float, missing: dict[str, float], mixed: float
) -> None:
    contract = load_contract()
    other = Shift(scale=scale, share={"international_plan": share}, extra={"total_intl_calls": Extra(share=share, by=5000)})
    shift = Shift(move=move, missing=missing, mix=Mix(share=mixed, shift=other))
    data = simulate(contract, 200, seed, shift=shift)
    assert_keeps(data, contract)
    assert keeps_relations(data.features)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_is_read_back_exactly(contract: Contract, tmp_path: Path, scenario: str) -> None:
    data = simulate(contract, 300, 5, shift=SCENARIOS[scenario].shift, drift=SCENARIOS[scenario].drift)
    write_csv(data, contract, tmp_path / "a.csv")
    again = read_dataset(tmp_path / "a.csv", contract, check_relations=scenario != "broken-charges", simulated=True)
    pd.testing.assert_frame_equal(again.features, data.features)
    pd.testing.assert_series_equal(again.labelled, data.labelled)
    assert again.digest == data.digest
    assert data.simulated
    assert keeps_relations(data.features) == (scenario != "broken-charges")


def test_csv_is_spelled_as_the_source_spells_it(contract: Contract, tmp_path: Path, real_data: Path) -> None:
    # The real file, read and written, is the real file, byte for byte.
    write_csv(read_dataset(real_data, contract), contract, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == real_data.read_text()


def test_writing_leaves_all_or_nothing(contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("before")

    def full(self: pd.DataFrame, target: Path, **options: Any) -> None:
        target.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(ChurnError, match="No space left"):
        write_csv(simulate(contract, 3, 1), contract, path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_of_the_old_file_keeps_it(contract: Contract, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("before")
    with path.open() as reader:
        write_csv(simulate(contract, 3, 1), contract, path)
        assert reader.read() == "before"
    assert path.read_text().startswith("State,")


def test_nothing_has_one_spelling(contract: Contract) -> None:
    minutes = simulate(contract, 100, 1, shift=Shift(scale={"total_day_minutes": -1e-9})).features["total_day_minutes"]
    assert (minutes == 0).all()
    assert not np.signbit(minutes).any()


def test_writing_needs_a_folder(contract: Contract, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_csv(simulate(contract, 3, 1), contract, tmp_path / "nowhere" / "a.csv")


def test_ids_are_written_and_read_back(tmp_path: Path) -> None:
    shop = Contract(
        name="shop",
        columns=(
            Column(name="number", source="No", kind="category", role="id"),
            Column(name="spent", source="Spent", kind="number", minimum=0),
        ),
    )
    data = simulate(shop, 50, 1)
    assert data.customer_id is not None
    assert data.customer_id.is_unique
    write_csv(data, shop, tmp_path / "a.csv")
    again = read_dataset(tmp_path / "a.csv", shop)
    assert again.customer_id is not None
    assert again.customer_id.tolist() == data.customer_id.tolist()


def test_same_seed_same_customers_other_seed_others(contract: Contract) -> None:
    assert simulate(contract, 500, 7).digest == simulate(contract, 500, 7).digest
    assert simulate(contract, 500, 7).digest != simulate(contract, 500, 8).digest
    # The very customers, in every process and on every machine. Only a new population may change this line.
    assert simulate(contract, 500, 7).digest == "363830d9e26ae7c2"


def test_a_knob_changes_nothing_else(contract: Contract) -> None:
    calm = simulate(contract, 2_000, 7).features
    shifted = simulate(contract, 2_000, 7, shift=Shift(scale={"total_day_minutes": 1.1}, missing={"state": 0.5})).features
    assert {name for name in calm if not calm[name].equals(shifted[name])} == {
        "total_day_minutes",
        "total_day_charge",
        "state",
    }
    np.testing.assert_allclose(shifted["total_day_minutes"], calm["total_day_minutes"] * 1.1, rtol=0, atol=0.11)


def test_spreads_are_the_real_ones(contract: Contract, real_data: Path) -> None:
    real, made = read_dataset(real_data, contract).features, simulate(contract, 50_000, 1).features
    for name in contract.numeric_features:
        error = real[name].std() / np.sqrt(len(real))
        assert abs(made[name].mean() - real[name].mean()) < 3.5 * error, name
        assert made[name].std() == pytest.approx(real[name].std(), rel=0.06), name
        assert made[name].min() >= 0
    for name in ("state", "area_code"):
        shares = pd.concat([frame[name].value_counts(normalize=True) for frame in (real, made)], axis=1)
        assert shares.diff(axis=1).abs().max().max() < 0.02


def test_customers_leave_as_the_real_ones_do(contract: Contract, real_data: Path) -> None:
    def rates(path_or_seed: Path | int) -> dict[str, float]:
        data = (
            read_dataset(path_or_seed, contract) if isinstance(path_or_seed, Path) else simulate(contract, 100_000, path_or_seed)
        )
        left, customers = data.labelled, data.features
        bill = sum(customers[f"total_{when}_charge"] for when in CHARGES)
        plan, voice = customers["international_plan"] == 1, customers["voice_mail_plan"] == 1
        trouble = customers["customer_service_calls"] >= 4
        groups = {
            "all": left >= 0,
            "plan": plan,
            "no plan": ~plan,
            "voice mail": voice,
            "no voice mail": ~voice,
            "trouble": trouble,
            "no trouble": ~trouble,
            "trouble, few minutes": trouble & (customers["total_day_minutes"] < 140),
            "big bill": (bill > 75) & ~voice,
            "big bill, voice mail": (bill > 75) & voice,
            "plan, few calls": plan & (customers["total_intl_calls"] <= 2),
            "plan, long calls": plan & (customers["total_intl_minutes"] > 13.1),
        }
        return {name: float(left[group].mean()) for name, group in groups.items()}

    real, made = rates(real_data), rates(11)
    assert made["all"] == pytest.approx(0.145, abs=0.005)
    assert made["plan"] == pytest.approx(0.42, abs=0.04)
    assert made["no plan"] == pytest.approx(0.115, abs=0.01)
    for name, rate in real.items():
        assert made[name] == pytest.approx(rate, abs=0.08), name


def test_lines_find_some_of_it_and_trees_more(contract: Contract) -> None:
    data = simulate(contract, 6_000, 4)
    x, y = data.features[contract.numeric_features], data.labelled
    folds = StratifiedKFold(3, shuffle=True, random_state=0)

    def auc(model: Any) -> float:
        return float(roc_auc_score(y, cross_val_predict(model, x, y, cv=folds, method="predict_proba")[:, 1]))

    assert 0.77 < auc(build_pipeline(0)) < 0.85
    assert auc(GradientBoostingClassifier(n_estimators=40, max_depth=4, subsample=0.5, random_state=0)) > 0.88


def test_shares_extras_and_mixes_are_as_asked(contract: Contract) -> None:
    calm = simulate(contract, 20_000, 7).features
    none = simulate(contract, 20_000, 7, shift=SCENARIOS["before-launch"].shift).features
    assert none["international_plan"].sum() == 0
    more = simulate(contract, 20_000, 7, shift=SCENARIOS["service-crisis"].shift).features["customer_service_calls"]
    added = more - calm["customer_service_calls"]
    assert set(added) == {0.0, 2.0}
    assert (added == 2).mean() == pytest.approx(0.2, abs=0.02)
    mix = Shift(mix=Mix(share=0.3, shift=Shift(move={"total_eve_minutes": 1000}, missing={"state": 1})))
    mixed = simulate(contract, 20_000, 7, shift=mix).features
    others = mixed["total_eve_minutes"] > 900
    assert others.mean() == pytest.approx(0.3, abs=0.02)
    assert (mixed["state"].isna() == others).all()
    assert mixed[~others].equals(calm[~others])


def test_customers_with_the_plan_call_more(contract: Contract) -> None:
    calm = simulate(contract, 20_000, 7).features
    lacking = simulate(contract, 20_000, 7, shift=SCENARIOS["before-launch"].shift).features
    gained = (calm[["total_day_minutes", "total_intl_minutes"]] - lacking)[["total_day_minutes", "total_intl_minutes"]]
    with_plan = calm["international_plan"] == 1
    assert gained[with_plan].mean().tolist() == pytest.approx([9.1, 0.43], rel=0.02)
    assert (gained[~with_plan] == 0).all(axis=None)


def test_lost_and_shuffled_values_change_the_record_not_the_people(contract: Contract) -> None:
    calm = simulate(contract, 5_000, 7)
    for scenario in ("missing-values", "broken-charges"):
        assert simulate(contract, 5_000, 7, shift=SCENARIOS[scenario].shift).labelled.equals(calm.labelled)
    lost = simulate(contract, 5_000, 7, shift=Shift(missing={"total_day_minutes": 0.3})).features["total_day_minutes"]
    assert lost.isna().mean() == pytest.approx(0.3, abs=0.03)
    shuffled = simulate(contract, 5_000, 7, shift=Shift(permute=("total_day_charge",))).features
    assert sorted(shuffled["total_day_charge"]) == sorted(calm.features["total_day_charge"])
    assert abs(np.corrcoef(shuffled["total_day_charge"], shuffled["total_day_minutes"])[0, 1]) < 0.1


def test_drift_changes_who_leaves_and_nobody_else(contract: Contract) -> None:
    calm = simulate(contract, 20_000, 7)
    drifted = simulate(contract, 20_000, 7, drift=SCENARIOS["price-rise"].drift)
    assert drifted.features.equals(calm.features)
    assert drifted.labelled.mean() > calm.labelled.mean() + 0.08


def test_drift_replaces_rates_rules_and_effects(contract: Contract) -> None:
    none = dict.fromkeys(read_population(contract).churn.rules)

    def left(drift: Drift) -> pd.Series:
        return simulate(contract, 20_000, 7, drift=drift).labelled

    features = simulate(contract, 20_000, 7).features
    assert left(Drift(base_rate=0.3, rules=none)).mean() == pytest.approx(0.3, abs=0.01)
    assert left(Drift(probability=dict.fromkeys(none, 0.0))).mean() == pytest.approx(0.0265, abs=0.004)
    west = Rule(
        probability=1, when={"state": Condition(one_of=("CA", "WA")), "account_length": Condition(at_least=50, at_most=60)}
    )
    chosen = features["state"].isin(["CA", "WA"]) & features["account_length"].between(50, 60)
    assert chosen.any()
    assert (left(Drift(base_rate=1e-9, rules={**none, "west": west})) == chosen).all()
    slope = {"total_day_minutes": Effect(per_unit=0.02, centre=180)}
    up = left(Drift(base_rate=0.3, rules=none, effects=slope))
    down = left(Drift(base_rate=0.3, rules=none, effects=slope, effect_scale=-1))
    assert roc_auc_score(up, features["total_day_minutes"]) > 0.7
    assert roc_auc_score(down, features["total_day_minutes"]) < 0.3


@pytest.mark.parametrize(
    ("knobs", "rule"),
    [
        ({"shift": Shift(scale={"minutes": 2})}, "shift.scale: contract 'telecom' has no feature 'minutes'"),
        ({"shift": Shift(move={"state": 2})}, "shift.move: 'state' is a category"),
        ({"shift": Shift(extra={"voice_mail_plan": Extra(share=1, by=1)})}, "shift.extra: 'voice_mail_plan' is a flag"),
        ({"shift": Shift(share={"total_day_calls": 0.5})}, "shift.share: 'total_day_calls' is a integer"),
        ({"shift": Shift(permute=("minutes",))}, "shift.permute"),
        ({"shift": Shift(mix=Mix(share=0.1, shift=Shift(missing={"minutes": 1})))}, "shift.missing"),
        ({"drift": Drift(probability={"mood": 1})}, "drift: there is no rule 'mood' (there are: big-bill"),
        ({"drift": Drift(rules={"mood": None})}, "drift: there is no rule 'mood'"),
        ({"drift": Drift(effects={"state": Effect(per_unit=1)})}, "'state' is not a number"),
        ({"drift": Drift(rules={"x": Rule(probability=1, when={"mood": Condition(above=1)})})}, "'mood' is neither"),
        ({"drift": Drift(rules={"x": Rule(probability=1, when={"state": Condition(above=1)})})}, "a category needs one_of"),
        ({"rows": 0}, "at least 1 row"),
        ({"seed": -1}, "a seed of at least 0"),
    ],
)
def test_a_knob_that_does_not_fit_is_refused(contract: Contract, knobs: dict[str, Any], rule: str) -> None:
    with pytest.raises(InputError) as error:
        simulate(contract, **{"rows": 3, "seed": 1, **knobs})
    assert rule in str(error.value)


def test_what_must_not_be_missing_is_not_lost() -> None:
    shop = Contract(name="shop", columns=(Column(name="spent", source="Spent", kind="number"),))
    with pytest.raises(InputError, match="'spent' must not be missing"):
        simulate(shop, 3, 1, shift=Shift(missing={"spent": 0.1}))


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        (("columns", "total_day_minutes", "sd"), -1, "population.columns.total_day_minutes.normal.sd"),
        (("columns", "total_day_minutes"), {"spread": 1}, "needs one of mean, counts, share, levels"),
        (("columns", "total_day_minutes"), {"share": 0.1}, "does not suit a column of kind 'number'"),
        (("columns", "total_day_charge"), {"mean": 1, "sd": 1}, "follows from a check"),
        (("columns", "minutes"), {"mean": 1, "sd": 1}, "population.columns.minutes: the contract has no such feature"),
        (("columns", "area_code", "levels", "999"), 1, "unknown level '999'"),
        (("columns", "area_code", "levels"), {"415": 0}, "at least one weight must be above 0"),
        (("columns", "customer_service_calls", "counts"), [1, -1], "population.columns.customer_service_calls.counts"),
        (("columns", "total_day_minutes", "plus"), {"total_day_calls": 1}, "plus must name declared flags"),
        (("columns", "total_day_calls", "only_with"), "minutes", "only_with must name"),
        (("columns", "total_day_calls", "only_with"), "total_eve_calls", "only_with must name"),
        (("churn", "base_rate"), 0, "population.churn.base_rate"),
        (("churn", "rules", "big-bill", "probability"), 1.1, "population.churn.rules.big-bill.probability"),
        (
            ("churn", "rules", "big-bill", "when"),
            {"mood": {"above": 1}},
            "population.churn.rules.big-bill: 'mood' is neither a feature nor an index",
        ),
        (("churn", "rules", "big-bill", "when"), {"total_charge": {}}, "needs at least one requirement"),
        (
            ("churn", "rules", "big-bill", "when"),
            {"total_charge": {"one_of": ["a"]}},
            "population.churn.rules.big-bill: 'total_charge': a category needs one_of",
        ),
        (("churn", "indexes", "total_charge"), {"state": 1}, "'state' is not a number"),
        (("churn",), None, "population.churn"),
    ],
)
def test_a_wrong_population_names_field_and_rule(contract: Contract, path: tuple[str, ...], value: Any, rule: str) -> None:
    section = copy.deepcopy(contract.population)
    at: Any = section
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(InputError, match="contract 'telecom': population") as error:
        simulate(contract.model_copy(update={"population": section}), 3, 1)
    assert rule in str(error.value)


BOUNDS = st.one_of(st.none(), st.integers(-1000, 1000))


@given(
    bounds=st.lists(st.tuples(st.sampled_from(["number", "integer"]), BOUNDS, BOUNDS), min_size=1, max_size=4),
    times=st.sampled_from([-2.5, 0.17, 3.0]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60)
def test_any_contract_gets_a_generic_population(
    bounds: list[tuple[str, int | None, int | None]], times: float, seed: int
) -> None:
    def ordered(low: int | None, high: int | None) -> dict[str, Any]:
        both = low is not None and high is not None and low > high
        return {"minimum": high, "maximum": low} if both else {"minimum": low, "maximum": high}

    columns: list[dict[str, Any]] = [
        {"name": f"n{n}", "source": f"N{n}", "kind": kind, **ordered(low, high)} for n, (kind, low, high) in enumerate(bounds)
    ]
    columns += [
        {"name": "plan", "source": "Plan", "kind": "flag"},
        {"name": "region", "source": "Region", "kind": "category", "levels": ["N", "S"]},
        {"name": "fee", "source": "Fee", "kind": "number"},
    ]
    checks = [{"column": "fee", "equals": "n0", "times": times, "tolerance": 0.002}]
    shop = Contract.model_validate({"name": "shop", "columns": columns, "checks": checks})
    data = simulate(shop, 300, seed)
    assert_keeps(data, shop)
    assert ((data.features["fee"] - data.features["n0"] * times).abs() <= 0.002).all()


def test_a_generic_population_can_be_learned() -> None:
    names = ("a", "b", "c")
    shop = Contract(name="shop", columns=tuple(Column(name=n, source=n, kind="number", minimum=0, maximum=90) for n in names))
    data = simulate(shop, 5_000, 1)
    assert data.features.mean().tolist() == pytest.approx([45, 45, 45], abs=1)
    assert 0.1 < data.labelled.mean() < 0.3
    assert roc_auc_score(data.labelled, data.features["a"]) > 0.65


def test_a_bound_of_what_follows_binds_what_it_follows_from() -> None:
    columns = (
        Column(name="minutes", source="Minutes", kind="number", minimum=0),
        Column(name="fee", source="Fee", kind="number", minimum=1, maximum=5),
    )
    shop = Contract(name="shop", columns=columns, checks=(Check(column="fee", equals="minutes", times=0.5, tolerance=0.01),))
    features = simulate(shop, 500, 1, shift=Shift(mix=Mix(share=0.5, shift=Shift(scale={"minutes": 0})))).features
    assert (features["minutes"].min(), features["minutes"].max()) == (2, 10)
    assert features["fee"].max() == 5


def test_checks_that_cannot_all_hold_are_refused() -> None:
    columns = tuple(Column(name=name, source=name, kind="number") for name in ("a", "b", "c"))

    def shop(*pairs: tuple[str, str]) -> Contract:
        return Contract(
            name="shop", columns=columns, checks=tuple(Check(column=x, equals=y, times=2, tolerance=1) for x, y in pairs)
        )

    assert len(simulate(shop(("a", "b"), ("b", "c")), 3, 1)) == 3
    with pytest.raises(InputError, match="'a' follows from itself"):
        simulate(shop(("a", "b"), ("b", "a")), 3, 1)
    with pytest.raises(InputError, match="'a' follows from two columns"):
        simulate(shop(("a", "b"), ("a", "c")), 3, 1)


@pytest.mark.parametrize(
    "form",
    [
        {"decimal": ","},
        {"decimal": ",", "thousands": "."},
        {"decimal": ",", "thousands": " ", "units": ["EUR"], "parentheses": True},
        {"thousands": ","},
        {"units": ["%"]},
    ],
)
def test_a_written_file_is_read_back_whatever_way_its_contract_writes_numbers(
    tmp_path: Path, contract: Contract, form: dict[str, Any]
) -> None:
    described = contract.model_dump()
    for column in described["columns"]:
        if column["kind"] in ("number", "integer") and column["role"] == "feature":
            column["number_format"] = form
    european = Contract.model_validate(described)
    data = simulate(european, 300, seed=1)
    # As far apart as a number may be, and one that needs an exponent.
    data.features.loc[[0, 1], "total_day_minutes"] = [1234.5, 1e-5]
    write_csv(data, european, tmp_path / "c.csv")
    read = read_dataset(tmp_path / "c.csv", european, check_relations=False)
    pd.testing.assert_frame_equal(read.features, data.features)
