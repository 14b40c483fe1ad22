from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from churn import attribution
from churn.attribution import Attributor
from churn.contract import Contract, load_contract
from churn.model import build_pipeline
from churn.simulation import simulate


@pytest.fixture(scope="module")
def customers(contract: Contract) -> pd.DataFrame:
    """The second half has holes."""
    rng = np.random.default_rng(1)
    frame = simulate(contract, 60, seed=8).features
    for name in frame:
        holes = (rng.random(60) < 0.3) & (np.arange(60) >= 30)
        frame.loc[holes, name] = np.nan if contract[name].is_numeric else None
    return frame


@pytest.fixture(scope="module")
def terms(contract: Contract) -> Pipeline:
    known = simulate(contract, 1_200, seed=4)
    return build_pipeline(1, form="terms", contract=load_contract()).fit(known.features, known.labelled)


@pytest.fixture(scope="module")
def plain(contract: Contract) -> Pipeline:
    known = simulate(contract, 500, seed=4)
    return build_pipeline(1).fit(known.features[contract.numeric_features], known.labelled)


def attributor(pipeline: Pipeline, contract: Contract) -> Attributor:
    columns = contract.feature_names if "features" in pipeline.named_steps else contract.numeric_features
    made = Attributor.of(pipeline, columns)
    assert made is not None
    return made


@pytest.mark.parametrize("form", ["terms", "plain"])
def test_base_and_contributions_are_the_logit(
    form: str, request: pytest.FixtureRequest, contract: Contract, customers: pd.DataFrame
) -> None:
    pipeline = request.getfixturevalue(form)
    made = attributor(pipeline, contract)
    logits = pipeline.decision_function(customers[made.columns])
    for row, logit in enumerate(logits):
        told = made.attribute(customers.iloc[[row]])
        assert told.base + told.contributions.sum() == pytest.approx(logit, abs=1e-11)
        assert told.term_gains.sum() == pytest.approx(told.contributions.sum(), abs=1e-11)


@pytest.mark.parametrize("form", ["terms", "plain"])
def test_the_typical_customer_has_nothing_to_explain(form: str, request: pytest.FixtureRequest, contract: Contract) -> None:
    made = attributor(request.getfixturevalue(form), contract)
    typical = pd.DataFrame({name: [made.typical[name]] for name in made.columns})
    assert not made.attribute(typical).contributions.any()


def test_what_is_missing_or_typical_contributes_nothing(terms: Pipeline, contract: Contract, customers: pd.DataFrame) -> None:
    made = attributor(terms, contract)
    for row in range(30, 60):
        customer = customers.iloc[[row]]
        told = dict(zip(made.columns, made.attribute(customer).contributions, strict=True))
        missing = [name for name in made.columns if pd.isna(customer[name].iloc[0])]
        assert [told[name] for name in missing] == pytest.approx([0.0] * len(missing), abs=1e-12)


def test_the_shares_of_a_term_are_its_columns_shapley_values(terms: Pipeline, contract: Contract) -> None:
    made = attributor(terms, contract)
    names = next(set(names) for names in made.term_columns if len(names) == 3)
    known = simulate(contract, 1_000, seed=9).features
    typical = pd.DataFrame({name: [made.typical[name]] for name in made.columns}).astype(known.dtypes)
    risky = known.iloc[[int(np.argmax(terms.decision_function(known)))]].reset_index(drop=True)
    # Only the columns of one term differ from the typical customer, so that the logit's own Shapley values are asked for.
    customer = typical.assign(**{name: risky[name] for name in names})
    orders = list(permutations(sorted(names)))
    expected = dict.fromkeys(names, 0.0)
    for order in orders:
        mixed = typical.copy()
        before = terms.decision_function(mixed)[0]
        for name in order:
            mixed[name] = customer[name]
            after = terms.decision_function(mixed)[0]
            expected[name] += (after - before) / len(orders)
            before = after
    told = dict(zip(made.columns, made.attribute(customer).contributions, strict=True))
    assert {name: told[name] for name in names} == pytest.approx(expected, abs=1e-9)


def test_drawn_orders_share_out_the_same_sum(
    terms: Pipeline, contract: Contract, customers: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = attributor(terms, contract).attribute(customers.iloc[[3]])
    attribution._mixtures.cache_clear()
    monkeypatch.setattr(attribution, "MOST_COLUMNS", 1)
    drawn = attributor(terms, contract).attribute(customers.iloc[[3]])
    attribution._mixtures.cache_clear()
    assert drawn.contributions.sum() == pytest.approx(exact.contributions.sum(), abs=1e-11)
    assert drawn.contributions == pytest.approx(exact.contributions, abs=0.5)


def test_other_pipelines_are_not_taken_apart(plain: Pipeline, contract: Contract) -> None:
    columns = contract.numeric_features
    steps = plain.steps
    assert Attributor.of(Pipeline([steps[1], steps[0], steps[2]]), columns) is None
    assert Attributor.of(Pipeline([("logreg", LogisticRegression())]), columns) is None
    assert Attributor.of(plain, columns[:-1]) is None
    assert Attributor.of(Pipeline([*steps[:2], ("features", steps[0][1]), steps[2]]), columns) is None


def test_what_follows_from_another_column_is_that_column_s_doing(terms: Pipeline, contract: Contract) -> None:
    made = attributor(terms, contract)
    known = simulate(contract, 300, seed=9).features
    whole = known.iloc[[int(np.argmax(terms.decision_function(known)))]]
    told = dict(zip(made.columns, made.attribute(whole).contributions, strict=True))
    unsaid = dict(zip(made.columns, made.attribute(whole.assign(total_day_charge=np.nan)).contributions, strict=True))
    assert told["total_day_charge"] != 0
    assert unsaid["total_day_charge"] == 0
    assert unsaid["total_day_minutes"] == pytest.approx(told["total_day_charge"] + told["total_day_minutes"], abs=1e-3)
