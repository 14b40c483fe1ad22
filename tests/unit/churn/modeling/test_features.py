from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

import churn.modeling.features as features_module
from churn.contract import Contract, load_contract
from churn.errors import InputError
from churn.modeling.boosted.trees import add_up
from churn.modeling.features import LinearTerms
from churn.modeling.model import build_pipeline
from churn.modeling.rules import Ramp, Terms
from churn.registry.serialization import dump_pipeline
from churn.registry.trusted_types import TRUSTED_TYPES
from churn.simulation.simulate import simulate
from tests.skops_io import skops_io

SUMS = {"total_charge": ["total_day_charge", "total_eve_charge", "total_night_charge", "total_intl_charge"]}


@pytest.fixture(scope="module")
def world(contract: Contract) -> tuple[pd.DataFrame, pd.Series]:
    customers = simulate(contract, 1_200, seed=4)
    return customers.features, customers.labelled


@pytest.fixture(scope="module")
def fitted(world: tuple[pd.DataFrame, pd.Series]) -> LinearTerms:
    return LinearTerms(sums=SUMS, trees=30).fit(*world)


def coin(rows: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """A number that matters, one that does not, and a category."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=rows), "noise": rng.normal(size=rows), "plan": rng.choice(["a", "b"], rows)})
    return frame, (rng.random(rows) < 1 / (1 + np.exp(-2 * frame["x"]))).astype(np.int64).to_numpy()


def test_terms_are_ramps_and_rules_as_they_are_described() -> None:
    terms = Terms([Ramp(0, 1.0, 3.0)], [((0, (1.0, np.inf)), (1, (-np.inf, 0.5))), ((1, (0.0, 1.0)),)])
    values = terms.evaluate(np.array([[0.0, 0.0], [2.0, 0.0], [9.0, 1.0]]))
    assert values.tolist() == [[1, 0, 0], [2, 1, 0], [3, 0, 1]]


def test_what_was_found_is_a_few_rules_that_rank_far_better_than_the_columns(
    world: tuple[pd.DataFrame, pd.Series], contract: Contract
) -> None:
    fresh = simulate(contract, 2_000, seed=5)
    numbers = contract.numeric_features
    terms = build_pipeline(1, form="terms", contract=load_contract()).fit(*world)
    plain = build_pipeline(1).fit(world[0][numbers], world[1])
    assert len(terms["features"].terms) < 60
    told = roc_auc_score(fresh.labelled, terms.predict_proba(fresh.features)[:, 1])
    assert told > roc_auc_score(fresh.labelled, plain.predict_proba(fresh.features[numbers])[:, 1]) + 0.05


def test_the_sum_is_what_makes_the_bill_a_rule(world: tuple[pd.DataFrame, pd.Series], fitted: LinearTerms) -> None:
    assert any("total_charge >" in name for name in fitted.get_feature_names_out())
    assert not any("total_charge" in name for name in LinearTerms(trees=30).fit(*world).get_feature_names_out())


def test_transform_gives_a_named_column_a_term(world: tuple[pd.DataFrame, pd.Series], fitted: LinearTerms) -> None:
    values = fitted.transform(world[0])
    assert values.shape == (1_200, len(fitted.terms)) == (1_200, len(fitted.get_feature_names_out()))
    assert values.dtype == np.float64
    assert (values.std(axis=0) > 0).all()
    one_by_one = np.vstack([fitted.transform(world[0].iloc[[row]]) for row in range(20)])
    assert np.array_equal(one_by_one, values[:20])


def test_a_missing_number_is_left_to_the_imputer_which_says_what_the_rules_took_it_for() -> None:
    frame, outcome = coin(500)
    pipeline = build_pipeline(1, form="terms").set_params(features__trees=0).fit(frame, outcome)
    terms = pipeline["features"].terms
    missing = frame.head(1).assign(x=np.nan)
    values = pipeline["features"].transform(missing)[0]
    ramps = [place for place, ramp in enumerate(terms.ramps) if ramp.input == 0]
    assert ramps
    assert np.isnan(values[ramps]).all()
    typical = frame.head(1).assign(x=frame["x"].median())
    assert pipeline.predict_proba(missing) == pytest.approx(pipeline.predict_proba(typical), abs=1e-12)


def test_rules_take_what_is_missing_for_typical(world: tuple[pd.DataFrame, pd.Series], fitted: LinearTerms) -> None:
    pipeline = build_pipeline(1, form="terms", contract=load_contract()).fit(*world)
    assert pipeline["features"].terms.rules
    customer = world[0].head(50)
    related = pipeline["features"].inputs.relations
    for name in set(customer) - set(related):
        typical = pipeline["features"].inputs.typical[name]
        missing = customer.assign(**{name: None if isinstance(typical, str) else np.nan})
        told = pipeline.predict_proba(customer.assign(**{name: typical}))
        assert pipeline.predict_proba(missing) == pytest.approx(told, abs=1e-12)


def test_a_charge_that_is_not_said_follows_from_its_minutes(world: tuple[pd.DataFrame, pd.Series]) -> None:
    pipeline = build_pipeline(1, form="terms", contract=load_contract()).fit(*world)
    customers = world[0].head(200)
    told = pipeline.predict_proba(customers)[:, 1]
    charges = [name for name in customers if name.endswith("_charge")]
    minutes = [name.replace("_charge", "_minutes") for name in charges]
    # A charge is rounded to cents, so a few customers may cross the edge of a rule.
    for unsaid in (charges, minutes):
        close = np.abs(pipeline.predict_proba(customers.assign(**dict.fromkeys(unsaid, np.nan)))[:, 1] - told) < 1e-6
        assert close.mean() > 0.97
    assert not np.allclose(pipeline.predict_proba(customers.assign(**dict.fromkeys(charges + minutes, np.nan)))[:, 1], told)


def test_nothing_is_extrapolated() -> None:
    frame, outcome = coin(500)
    pipeline = build_pipeline(1, form="terms").fit(frame, outcome)
    far, farther = (pipeline.predict_proba(frame.head(1).assign(x=x))[0, 1] for x in (1e3, 1.7e308))
    assert far == farther
    assert np.isfinite(far)


def test_stricter_means_fewer_terms(world: tuple[pd.DataFrame, pd.Series]) -> None:
    counts = [len(LinearTerms(sums=SUMS, trees=30, strictness=strictness).fit(*world).terms) for strictness in (0.3, 0.7, 2.0)]
    assert counts[0] > counts[1] > counts[2] > 0


def test_without_strictness_every_candidate_that_varies_is_a_term(world: tuple[pd.DataFrame, pd.Series]) -> None:
    features, outcome = world
    every = LinearTerms(trees=30, strictness=0).fit(features, outcome)
    assert len(every.terms) > 2 * len(LinearTerms(trees=30, strictness=0.1).fit(features, outcome).terms)
    assert (every.transform(features).std(axis=0) > 0).all()


def test_of_many_customers_not_every_candidate_is_a_term(
    world: tuple[pd.DataFrame, pd.Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    features, outcome = world
    mild = LinearTerms(trees=30, strictness=features_module.MILD).fit(features, outcome).terms
    monkeypatch.setattr(features_module, "MAX_FITTED", 1_000)
    # One seed more, lest it be remembered how it was without the limit.
    assert (
        LinearTerms(trees=30, strictness=0, seed=1).fit(features, outcome).terms
        == LinearTerms(trees=30, strictness=features_module.MILD, seed=1).fit(features, outcome).terms
    )
    assert len(mild) < 200


def test_the_lasso_reads_no_more_cells_than_memory_has(
    world: tuple[pd.DataFrame, pd.Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[int, int]] = []
    fit = LogisticRegression.fit

    def counting(self: LogisticRegression, x: np.ndarray, y: np.ndarray) -> LogisticRegression:
        read.append(x.shape)
        return fit(self, x, y)

    monkeypatch.setattr(LogisticRegression, "fit", counting)
    monkeypatch.setattr(features_module, "MAX_READ", 100_000)
    terms = LinearTerms(trees=30, seed=2).fit(*world).terms
    assert [rows * columns <= 100_000 for rows, columns in read] == [True]
    assert read[0][0] < 1_200
    assert len(terms)


def test_what_is_remembered_is_what_would_be_found_again(world: tuple[pd.DataFrame, pd.Series]) -> None:
    settings = [{"strictness": strictness, "trees": trees} for strictness in (0.3, 0.7) for trees in (0, 20)]
    first = [LinearTerms(**chosen).fit(*world).terms for chosen in settings]
    again = [LinearTerms(**chosen).fit(*world).terms for chosen in settings]
    for memory in (features_module.GROWN, features_module.SELECTED):
        memory.forget()
    anew = [LinearTerms(**chosen).fit(*world).terms for chosen in settings]
    assert first == again == anew
    others = world[0].iloc[::-1].reset_index(drop=True), world[1].iloc[::-1].reset_index(drop=True)
    flipped = LinearTerms(strictness=0.7, trees=20).fit(others[0], 1 - others[1]).terms
    assert flipped != anew[3]


def test_noise_alone_leaves_the_columns_as_they_are() -> None:
    frame, _ = coin(400)
    outcome = np.random.default_rng(1).integers(0, 2, 400)
    terms = LinearTerms(strictness=5).fit(frame, outcome).terms
    assert terms.rules == []
    assert {ramp.input for ramp in terms.ramps} >= {0, 1}


def test_without_trees_there_are_no_rules() -> None:
    terms = LinearTerms(trees=0).fit(*coin(500)).terms
    assert terms.rules == []
    assert any(ramp.input == 0 for ramp in terms.ramps)


@pytest.mark.parametrize(("knots", "lows"), [(0, 1), (1, 2), (3, 4)])
def test_hinges_stand_at_the_quantiles(knots: int, lows: int) -> None:
    frame, outcome = coin(500)
    candidates = LinearTerms(trees=0, knots=knots, strictness=1e-6).fit(frame[["x"]], outcome).terms
    assert len(candidates.ramps) == lows
    assert [ramp.low for ramp in candidates.ramps[1:]] == pytest.approx(
        np.quantile(frame["x"], np.arange(1, knots + 1) / (knots + 1)).tolist()
    )
    assert len({ramp.high for ramp in candidates.ramps}) == 1


def test_constant_and_empty_columns_make_no_term() -> None:
    frame, outcome = coin(300)
    frame = frame.assign(constant=7.0, empty=np.nan, same="s", nothing=pd.Series([None] * 300, dtype=object))
    fitted = LinearTerms(strictness=0.01).fit(frame, outcome)
    told = " ".join(fitted.get_feature_names_out())
    assert not any(name in told for name in ("constant", "empty", "same", "nothing"))
    assert np.isfinite(fitted.transform(frame)).all()


def test_numbers_that_differ_less_than_rounding_leaves_of_them_make_no_ramp() -> None:
    """Account numbers of 18 digits: served, weight times value plus intercept would be off by more than a parity check allows."""
    x, y = coin(400)
    accounts = 8.9e17 + 1_000.0 * np.arange(400)
    frame = pd.DataFrame({"account": accounts, "x": x.iloc[:, 0]})
    terms = LinearTerms(strictness=0.0, trees=0).fit(frame, y).terms
    assert terms.inputs()
    assert {column for (column,) in terms.inputs()} == {1}
    shifted = LinearTerms(strictness=0.0, trees=0).fit(frame.assign(account=accounts - 8.9e17), y).terms
    assert {column for (column,) in shifted.inputs()} == {0, 1}


def test_very_few_customers_still_give_a_model() -> None:
    frame, outcome = coin(12)
    pipeline = build_pipeline(1, form="terms").fit(frame, outcome)
    assert np.isfinite(pipeline.predict_proba(frame)).all()


def test_of_very_many_customers_a_drawn_part_is_looked_at() -> None:
    frame, outcome = coin(2_000)
    drawn = LinearTerms(max_rows=300, seed=1)
    assert not np.array_equal(drawn.fit(frame, outcome).ramps_, LinearTerms(seed=1).fit(frame, outcome).ramps_)
    assert np.array_equal(drawn.fit(frame, outcome).ramps_, clone(drawn).fit(frame, outcome).ramps_)


BOOSTED: dict[str, Any] = {"trees": 0, "knots": 3, "strictness": 0.1, "boosted": 12, "leaves": 6}


def boosted_pipeline() -> Pipeline:
    pipeline = build_pipeline(1, form="terms")
    return pipeline.set_params(**{f"features__{name}": value for name, value in BOOSTED.items()})


def test_the_sum_of_boosted_trees_is_the_last_term(world: tuple[pd.DataFrame, pd.Series]) -> None:
    boosted = LinearTerms(sums=SUMS, **BOOSTED).fit(*world)
    without = LinearTerms(sums=SUMS, **BOOSTED | {"boosted": 0}).fit(*world)
    assert without.nodes_.shape == (0, 6)
    assert boosted.terms == without.terms
    assert list(boosted.get_feature_names_out()) == [*without.get_feature_names_out(), "sum of boosted trees"]
    values = boosted.transform(world[0])
    assert np.array_equal(values[:, :-1], without.transform(world[0]))
    inputs = boosted.inputs
    assert np.array_equal(values[:, -1], add_up(boosted.nodes_, inputs.matrix(inputs.complete(world[0]))))
    assert roc_auc_score(world[1], values[:, -1]) > 0.8


def test_its_weight_is_fitted_on_what_trees_say_that_were_grown_on_others() -> None:
    """On noise trees that saw the customers look good, and others do not: their sum must get hardly any weight."""
    frame, _ = coin(600)
    noise = np.random.default_rng(9).integers(0, 2, 600)
    terms = LinearTerms(**BOOSTED | {"boosted": 60})
    trained = terms.fit_transform(frame, noise)
    assert np.array_equal(trained[:, :-1], terms.transform(frame)[:, :-1])
    assert roc_auc_score(noise, trained[:, -1]) < 0.6
    assert roc_auc_score(noise, terms.transform(frame)[:, -1]) > 0.75
    honest, fooled = (
        LogisticRegression().fit(values[:, [-1]], noise).coef_[0, 0] for values in (trained, terms.transform(frame))
    )
    assert abs(honest) < 0.3
    assert fooled > 1
    fitted = boosted_pipeline().fit(frame, noise)
    assert fitted["logreg"].coef_[0, -1] < 0.3, "the pipeline asks for these"


def test_rows_of_a_customer_are_told_by_name_through_the_pipeline(world: tuple[pd.DataFrame, pd.Series]) -> None:
    x, y = world[0].head(400), world[1].head(400)
    pipeline = boosted_pipeline()
    alone = clone(pipeline).fit(x, y)
    same = clone(pipeline).fit(x, y, features__customer=np.arange(400))
    pairs = clone(pipeline).fit(x, y, features__customer=np.arange(400) // 2)
    assert np.array_equal(alone["features"].nodes_, pairs["features"].nodes_)
    assert np.array_equal(alone["logreg"].coef_, clone(pipeline).fit(x, y)["logreg"].coef_)
    assert same["logreg"].coef_.shape == pairs["logreg"].coef_.shape
    assert not np.array_equal(same["logreg"].coef_, pairs["logreg"].coef_), "other parts of the customers"


def test_trees_take_what_is_missing_or_unknown_for_typical() -> None:
    frame, outcome = coin(500)
    fitted = LinearTerms(**BOOSTED).fit(frame, outcome)
    odd = frame.head(4).assign(x=[np.nan, 0.3, np.nan, 0.3], plan=["a", None, None, "never seen"])
    values = fitted.transform(odd)
    assert np.isnan(values[[0, 2], 0]).all()
    assert np.isfinite(values[:, -1]).all()
    typical = frame.head(4).assign(x=[fitted.inputs.typical["x"], 0.3] * 2, plan=["a", *[fitted.inputs.typical["plan"]] * 2, "b"])
    assert np.array_equal(values[:3, -1], fitted.transform(typical)[:3, -1])


def test_of_very_many_customers_trees_are_grown_on_a_drawn_part() -> None:
    frame, outcome = coin(2_000)
    drawn = LinearTerms(**BOOSTED, max_rows=300, seed=1)
    trained = drawn.fit_transform(frame, outcome)
    later = drawn.transform(frame)
    own = trained[:, -1] != later[:, -1]
    assert 250 <= own.sum() <= 300, "only of the part that they were grown on, others have to tell"
    again = clone(drawn)
    assert np.array_equal(again.fit_transform(frame, outcome), trained, equal_nan=True)


@pytest.mark.parametrize("outcome", [[1] + [0] * 39, [1, 1, 1] + [0] * 37])
def test_with_a_handful_of_leavers_there_is_no_sum_of_trees(outcome: list[int]) -> None:
    frame, _ = coin(40)
    pipeline = build_pipeline(1, form="terms").set_params(features__boosted=12)
    pipeline.fit(frame, np.array(outcome))
    assert len(pipeline["features"].nodes_) == 0
    assert np.isfinite(pipeline.predict_proba(frame)).all()


@pytest.mark.parametrize("boosted", [0, 12])
def test_it_comes_back_from_its_artifact_as_it_was(world: tuple[pd.DataFrame, pd.Series], boosted: int) -> None:
    pipeline = build_pipeline(1, form="terms", contract=load_contract()).set_params(features__boosted=boosted).fit(*world)
    assert bool(len(pipeline["features"].nodes_)) is bool(boosted)
    back = skops_io.loads(dump_pipeline(pipeline), trusted=TRUSTED_TYPES)
    assert back["features"].terms == pipeline["features"].terms
    assert np.array_equal(back["features"].nodes_, pipeline["features"].nodes_)
    assert np.array_equal(back.predict_proba(world[0]), pipeline.predict_proba(world[0]))
    assert dump_pipeline(back) == dump_pipeline(pipeline)


def test_unfitted_it_says_so() -> None:
    with pytest.raises(NotFittedError):
        LinearTerms().transform(coin(3)[0])


def test_columns_that_tell_nobody_apart_are_said_and_no_crash() -> None:
    alike = pd.DataFrame({"spent": np.full(30, 2.0), "street": [f"s{number}" for number in range(30)]})
    with pytest.raises(InputError, match="no column tells the customers to learn from apart"):
        LinearTerms().fit(alike, np.arange(30) % 2)
