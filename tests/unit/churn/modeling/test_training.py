from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

import churn.config.params as params_module
import churn.modeling.training as training_module
from churn.clock import now
from churn.config.params import EvaluationParams, GateParams, ModelParams, Params, SplitParams, TuningParams
from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.data.row_time import as_times
from churn.evaluation.report import assess
from churn.modeling.assignment import NO_PSEUDONYM, Source, assign
from churn.modeling.customer_keys import rule_digest
from churn.modeling.search.mean_of_models import MeanOfModels
from churn.modeling.threshold import choose_threshold
from churn.modeling.training import Trained, train
from churn.modeling.training_set import TrainingSet, assemble
from churn.registry.serialization import dump_pipeline
from churn.registry.trusted_types import TRUSTED_TYPES
from churn.simulation.simulate import simulate
from tests.skops_io import skops_io

PARAMS = Params(
    seed=3,
    split=SplitParams(key="tests", reserved=0.25),
    model=ModelParams(form="plain"),
    tuning=TuningParams(folds=3, grid={"logreg__solver": ["saga", "lbfgs"], "logreg__C": [0.01, 1.0]}),
    gate=GateParams(min_fresh_rows=30),
    evaluation=EvaluationParams(resamples=100),
)

TERMS = PARAMS.model_copy(
    update={
        "model": ModelParams(form="terms"),
        "tuning": TuningParams(folds=3, grid={"features__trees": [20], "features__strictness": [0.5, 0.7]}),
    }
)


@pytest.fixture(scope="module")
def customers(contract: Contract) -> Dataset:
    return simulate(contract, 800, seed=5)


def fit(dataset: Dataset, contract: Contract, params: Params = PARAMS, traffic: pd.DataFrame | None = None) -> Trained:
    return train(assemble(dataset, traffic, contract, params), contract, params, name="churn", trigger="test", git_commit="abc")


@pytest.fixture(scope="module")
def trained(customers: Dataset, contract: Contract) -> Trained:
    return fit(customers, contract)


def traffic_of(dataset: Dataset, **columns: Any) -> pd.DataFrame:
    """Labelled predictions as the store gives them. The row's number is in account_length, to tell customers apart."""
    rows = len(dataset)
    head = pd.DataFrame(
        {
            "seq": np.arange(1, rows + 1),
            "prediction_id": [f"p{n}" for n in range(rows)],
            "customer_id": [f"visitor-{n}" for n in range(rows)],
            "requested_at": pd.date_range("2026-03-01", periods=rows, freq="min", tz="UTC"),
            "churned": dataset.labelled.astype(float),
        }
    )
    features = dataset.features.assign(account_length=np.arange(5000.0, 5000.0 + rows))
    return pd.concat([head.assign(**columns), features], axis=1)


def visitors(frame: pd.DataFrame) -> set[int]:
    """Which of the traffic's customers are in a frame."""
    lengths = frame["account_length"]
    return set((lengths[lengths >= 5000] - 5000).astype(int))


# The same input, the same model


@pytest.mark.parametrize("params", [PARAMS, TERMS], ids=["plain", "terms"])
def test_the_same_data_params_and_seed_give_the_same_model_bit_for_bit(
    customers: Dataset, contract: Contract, params: Params
) -> None:
    trained, again = (fit(customers, contract, params) for _ in range(2))
    assert dump_pipeline(again.model.pipeline) == dump_pipeline(trained.model.pipeline)
    same = {"trained_at": now()}
    assert again.model.info.model_copy(update=same) == trained.model.info.model_copy(update=same)
    pd.testing.assert_frame_equal(again.reference, trained.reference, check_exact=True)
    assert again.holdout == trained.holdout


def test_another_key_gives_another_split_and_other_coefficients(trained: Trained, customers: Dataset, contract: Contract) -> None:
    other = fit(customers, contract, PARAMS.model_copy(update={"split": SplitParams(key="other")}))
    assert other.model.info.data_digest != trained.model.info.data_digest
    assert other.model.info.split_rule != trained.model.info.split_rule
    assert not np.array_equal(other.model.pipeline["logreg"].coef_, trained.model.pipeline["logreg"].coef_)


def test_another_seed_reserves_nobody_else(customers: Dataset, contract: Contract) -> None:
    first, other = (assemble(customers, None, contract, PARAMS.model_copy(update={"seed": seed})) for seed in (3, 4))
    assert first.digest == other.digest


# Nothing is fitted before the split


def test_the_imputer_and_the_scaler_saw_the_training_customers_only(
    trained: Trained, customers: Dataset, contract: Contract
) -> None:
    known = assemble(customers, None, contract, PARAMS).train
    x = known.features[contract.numeric_features]
    assert np.array_equal(trained.model.judged.pipeline["imputer"].statistics_, x.median().to_numpy())
    assert trained.model.judged.pipeline["scaler"].mean_ == pytest.approx(x.mean().to_numpy(), rel=1e-12)
    assert trained.model.judged.pipeline["scaler"].n_samples_seen_ == len(known) < 650


def test_whatever_the_held_out_customers_are_like_the_model_is_the_same(customers: Dataset, contract: Contract) -> None:
    named = replace(customers, customer_id=pd.Series([f"c{n}" for n in range(len(customers))]))
    (who,) = assign([Source(named.features, named.customer_id)], PARAMS.split)
    poisoned = customers.features.copy()
    poisoned.loc[who.judges, contract.numeric_features] = 1e6
    trained, other = fit(named, contract), fit(replace(named, features=poisoned), contract)
    assert dump_pipeline(other.model.judged.pipeline) == dump_pipeline(trained.model.judged.pipeline)
    assert other.model.info.threshold == trained.model.info.threshold
    assert other.holdout != trained.holdout


def test_the_outcomes_of_the_held_out_customers_teach_nothing(trained: Trained, customers: Dataset, contract: Contract) -> None:
    training_set = assemble(customers, None, contract, PARAMS)
    turned = replace(training_set.holdout, outcome=1 - training_set.holdout.outcome)
    other = train(replace(training_set, holdout=turned), contract, PARAMS, name="churn", trigger="test")
    assert dump_pipeline(other.model.judged.pipeline) == dump_pipeline(trained.model.judged.pipeline)
    assert other.model.info.threshold == trained.model.info.threshold


def test_the_terms_are_found_among_the_training_customers_only(customers: Dataset, contract: Contract) -> None:
    training_set = assemble(customers, None, contract, TERMS)
    numbers = dict.fromkeys(contract.numeric_features, 1000000.0)
    strange = replace(
        training_set.holdout,
        features=training_set.holdout.features.assign(**numbers, state="WY"),
        outcome=1 - training_set.holdout.outcome,
    )
    first = train(training_set, contract, TERMS, name="churn", trigger="test")
    other = train(replace(training_set, holdout=strange), contract, TERMS, name="churn", trigger="test")
    assert dump_pipeline(other.model.judged.pipeline) == dump_pipeline(first.model.judged.pipeline)
    assert np.array_equal(other.tuned.out_of_fold, first.tuned.out_of_fold)


# What is known of a model


def test_a_model_of_terms_reads_every_feature_and_ranks_better(trained: Trained, customers: Dataset, contract: Contract) -> None:
    told: list[int] = []
    training_set = assemble(customers, None, contract, TERMS)
    terms = train(training_set, contract, TERMS, name="churn", trigger="test", on_score=told.append)
    assert terms.model.info.features == contract.feature_names
    assert list(terms.model.pipeline.named_steps) == ["features", "imputer", "scaler", "logreg"]
    assert terms.model.pipeline["features"].sums == {"total_charge": list(contract.sums["total_charge"].of)}
    assert terms.holdout.roc_auc > trained.holdout.roc_auc + 0.03
    assert terms.holdout.log_loss < trained.holdout.log_loss - 0.05
    assert told == list(range(1, 7))


def test_what_is_known_of_the_model_is_true(trained: Trained, customers: Dataset, contract: Contract) -> None:
    info, known = trained.model.info, assemble(customers, None, contract, PARAMS).train
    assert (info.name, info.trigger, info.git_commit, info.simulated) == ("churn", "test", "abc", True)
    assert (info.rows, info.contract, info.contract_digest) == (len(known), "telecom", contract.digest)
    assert (info.split_rule, info.reserved) == (rule_digest("tests", NO_PSEUDONYM, contract.feature_names), 0.25)
    assert info.features == contract.numeric_features
    assert info.params == trained.tuned.best
    assert info.data_source == customers.source
    assert info.version == ""


def test_what_is_served_has_learned_from_everybody(trained: Trained, customers: Dataset, contract: Contract) -> None:
    everybody, features = customers.features, trained.model.info.features
    assert trained.model.info.refitted_on == len(everybody) > trained.model.info.rows
    assert trained.model.pipeline["scaler"].n_samples_seen_ == len(everybody)
    assert np.array_equal(trained.model.pipeline["imputer"].statistics_, everybody[features].median().to_numpy())
    assert trained.model.judged.info.refitted_on == 0


def test_traffic_that_judges_teaches_what_is_served_and_a_customer_of_both_is_one(customers: Dataset, contract: Contract) -> None:
    named = replace(customers, customer_id=pd.Series([f"c{n}" for n in range(len(customers))]))
    visits = traffic_of(customers, customer_id=[f"c{n}" for n in range(len(customers))])
    training_set = assemble(named, visits, contract, PARAMS)
    assert training_set.fresh_is_traffic
    held, fresh = len(training_set.holdout), len(training_set.fresh)
    who = training_set.judges.customer
    assert who is not None
    assert len(who) == held + fresh
    # All of the traffic that judges is of customers who are in the holdout, too.
    assert set(who[held:].tolist()) <= set(who[:held].tolist())
    info = fit(named, contract, traffic=visits).model.info
    assert info.refitted_on == info.rows + held + fresh


def test_a_reweighed_model_is_served_as_it_was_evaluated(
    customers: Dataset, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(tuned: Any, *_: Any) -> Any:
        return tuned, 0.3, SimpleNamespace(taken=True, columns=("group",))

    monkeypatch.setattr(training_module, "_choose_weights", taken)
    model = fit(customers, contract).model
    assert (model.info.refitted_on, model.evaluated) == (0, None)
    assert model.judged is model


def test_the_scores_are_those_of_the_holdout(trained: Trained, customers: Dataset, contract: Contract) -> None:
    held = assemble(customers, None, contract, PARAMS).holdout
    told = assess(held, trained.model.judged.predict_probability(held.features), trained.model.info.threshold, contract, PARAMS)
    assert trained.evaluation.report() == told.report()
    assert trained.holdout == told.card
    assert trained.model.info.metrics == trained.holdout.metrics()
    assert trained.holdout.roc_auc > 0.7


def test_the_threshold_comes_from_the_training_customers_out_of_fold(trained: Trained) -> None:
    known = trained.reference["churned"].to_numpy()
    assert trained.model.info.threshold == choose_threshold(known, trained.tuned.out_of_fold, PARAMS.threshold, PARAMS.profit)


def test_the_reference_is_who_was_trained_on_and_what_they_would_have_been_answered(
    trained: Trained, customers: Dataset, contract: Contract
) -> None:
    known = assemble(customers, None, contract, PARAMS).train
    assert trained.reference.columns.tolist() == ["churn_probability", "churned", "served_probability", *contract.feature_names]
    assert np.array_equal(trained.reference["served_probability"], trained.model.predict_probability(known.features))
    assert np.array_equal(trained.reference["churn_probability"], trained.tuned.out_of_fold)
    assert trained.reference["churned"].tolist() == known.outcome.tolist()
    pd.testing.assert_frame_equal(trained.reference[contract.feature_names], known.features)


def test_the_reference_names_the_months_of_the_data_and_none_of_the_traffic(customers: Dataset, contract: Contract) -> None:
    timed = replace(customers, asked_at=as_times(pd.Series([f"2025-{n % 12 + 1:02}" for n in range(len(customers))])))
    visits = traffic_of(simulate(contract, 300, seed=8), customer_id=[f"t{n}" for n in range(300)])
    training_set = assemble(timed, visits, contract, PARAMS)
    months = fit(timed, contract, traffic=visits).reference["requested_month"]
    file_rows = len(months) - training_set.dated
    assert training_set.dated > 100
    assert set(months.iloc[:file_rows]) == {f"2025-{month:02}" for month in range(1, 13)}
    assert months.iloc[file_rows:].isna().all()
    assert "requested_month" not in fit(customers, contract, traffic=visits).reference


def test_the_digest_changes_with_one_value_and_with_one_outcome(customers: Dataset, contract: Contract) -> None:
    training_set = assemble(customers, None, contract, PARAMS)
    features, outcome = training_set.train.features.copy(), training_set.train.outcome.copy()
    features.loc[0, "total_day_minutes"] += 0.1
    outcome[0] = 1 - outcome[0]
    changed = [
        replace(training_set, train=replace(training_set.train, features=features)),
        replace(training_set, train=replace(training_set.train, outcome=outcome)),
    ]
    assert len({training_set.digest, *(other.digest for other in changed)}) == 3
    assert assemble(customers, None, contract, PARAMS).digest == training_set.digest


# Columns that tell nothing


def test_a_constant_column_weighs_nothing(customers: Dataset, contract: Contract) -> None:
    constant = replace(customers, features=customers.features.assign(total_day_calls=100.0))
    trained = fit(constant, contract)
    weight = trained.model.pipeline["logreg"].coef_[0][contract.numeric_features.index("total_day_calls")]
    assert weight == pytest.approx(0, abs=1e-9)
    assert np.isfinite(trained.tuned.out_of_fold).all()


def test_a_column_that_is_missing_for_everybody_weighs_nothing(customers: Dataset, contract: Contract) -> None:
    empty = replace(customers, features=customers.features.assign(total_day_calls=np.nan))
    trained = fit(empty, contract)
    weight = trained.model.pipeline["logreg"].coef_[0][contract.numeric_features.index("total_day_calls")]
    assert weight == pytest.approx(0, abs=1e-9)
    told = trained.model.predict_probability(customers.features.head(5))
    assert np.isfinite(told).all()
    assert told == pytest.approx(trained.model.predict_probability(empty.features.head(5)), abs=1e-9)


def test_missing_values_are_learned_with(customers: Dataset, contract: Contract) -> None:
    holes = customers.features.copy()
    holes.loc[::3, "total_day_minutes"] = np.nan
    trained = fit(replace(customers, features=holes), contract)
    assert trained.holdout.roc_auc > 0.6


# Traffic


def test_without_traffic_the_gate_judges_on_the_holdout(customers: Dataset, contract: Contract) -> None:
    nobody = traffic_of(customers).head(0)
    for traffic in (None, nobody):
        training_set = assemble(customers, traffic, contract, PARAMS)
        assert training_set.fresh is training_set.holdout
        assert not training_set.fresh_is_traffic
        assert len(training_set.train) + len(training_set.holdout) == 800


def test_customers_kept_for_the_gate_are_never_trained_on(customers: Dataset, contract: Contract) -> None:
    traffic = traffic_of(simulate(contract, 400, seed=6))
    training_set = assemble(customers, traffic, contract, PARAMS)
    kept = set(np.flatnonzero(kept_rows(traffic, contract)))
    assert visitors(training_set.train.features) == set(range(400)) - kept
    assert visitors(training_set.fresh.features) == kept
    assert training_set.fresh_is_traffic
    assert len(training_set.train) == len(assemble(customers, None, contract, PARAMS).train) + 400 - len(kept)
    assert visitors(training_set.holdout.features) == set()
    assert f"{400 - len(kept)} labelled predictions" in training_set.source


def test_what_is_trained_on_knows_when_it_was_asked_about(customers: Dataset, contract: Contract) -> None:
    traffic = traffic_of(simulate(contract, 400, seed=6))
    train = assemble(customers, traffic, contract, PARAMS).train
    asked_at = train.asked_at
    assert asked_at is not None
    seen = train.features["account_length"] >= 5000
    numbers = (train.features.loc[seen, "account_length"] - 5000).astype(int)
    assert asked_at.isna().tolist() == (~seen).tolist(), "the data's times are not known"
    assert asked_at[seen].tolist() == traffic["requested_at"].iloc[numbers].tolist()


def test_a_customer_who_came_twice_is_on_one_side(customers: Dataset, contract: Contract) -> None:
    names = [f"visitor-{n % 100}" for n in range(400)]
    training_set = assemble(customers, traffic_of(simulate(contract, 400, seed=6), customer_id=names), contract, PARAMS)
    learned, judged = ({n % 100 for n in visitors(part.features)} for part in (training_set.train, training_set.fresh))
    assert learned | judged == set(range(100))
    assert not learned & judged


def test_traffic_without_customer_ids_is_told_apart_by_content(customers: Dataset, contract: Contract) -> None:
    traffic = traffic_of(simulate(contract, 400, seed=6), customer_id=None)
    training_set = assemble(customers, traffic, contract, PARAMS)
    kept = set(np.flatnonzero(kept_rows(traffic, contract)))
    assert visitors(training_set.fresh.features) == kept
    assert 60 < len(kept) < 140


def test_outcomes_stay_with_the_traffic_s_customers(customers: Dataset, contract: Contract) -> None:
    population = simulate(contract, 400, seed=6)
    training_set = assemble(customers, traffic_of(population), contract, PARAMS)
    for part in (training_set.fresh, training_set.train):
        seen = part.features["account_length"] >= 5000
        numbers = (part.features.loc[seen, "account_length"] - 5000).astype(int)
        assert part.outcome[seen].tolist() == population.labelled.iloc[numbers].tolist()


def fresh_rows(training_set: TrainingSet) -> int:
    return len(visitors(training_set.fresh.features))


def test_too_few_fresh_rows_mean_the_holdout_and_are_still_not_trained_on(customers: Dataset, contract: Contract) -> None:
    traffic = traffic_of(simulate(contract, 400, seed=6))
    kept = int(kept_rows(traffic, contract).sum())
    few = PARAMS.model_copy(update={"gate": GateParams(min_fresh_rows=kept + 1)})
    enough = PARAMS.model_copy(update={"gate": GateParams(min_fresh_rows=kept)})
    fallen_back = assemble(customers, traffic, contract, few)
    assert fallen_back.fresh is fallen_back.holdout
    assert not fallen_back.fresh_is_traffic
    assert len(visitors(fallen_back.train.features)) == 400 - kept
    assert fresh_rows(assemble(customers, traffic, contract, enough)) == kept


def test_fresh_customers_of_one_class_cannot_judge(customers: Dataset, contract: Contract) -> None:
    training_set = assemble(customers, traffic_of(simulate(contract, 400, seed=6), churned=0.0), contract, PARAMS)
    assert not training_set.fresh_is_traffic
    assert training_set.fresh is training_set.holdout


def test_the_newest_fresh_customers_judge(customers: Dataset, contract: Contract) -> None:
    params = PARAMS.model_copy(update={"gate": GateParams(min_fresh_rows=30, max_fresh_rows=60)})
    traffic = traffic_of(simulate(contract, 400, seed=6))
    kept = np.flatnonzero(kept_rows(traffic, contract))
    assert visitors(assemble(customers, traffic, contract, params).fresh.features) == set(kept[-60:])


def test_traffic_changes_the_model_and_its_digest(trained: Trained, customers: Dataset, contract: Contract) -> None:
    other = fit(customers, contract, traffic=traffic_of(simulate(contract, 400, seed=6)))
    assert other.model.info.data_digest != trained.model.info.data_digest
    assert other.model.info.rows > trained.model.info.rows
    assert len(other.reference) == other.model.info.rows


def test_who_is_who_is_known_where_customers_came_twice(customers: Dataset, contract: Contract) -> None:
    traffic = traffic_of(customers, customer_id=[f"c{n % 300}" for n in range(len(customers))])
    training_set = assemble(customers, traffic, contract, PARAMS)
    fresh, known = training_set.fresh, training_set.train
    assert fresh.customer is not None
    assert known.customer is not None
    assert len(set(fresh.customer)) == len({f"c{n % 300}" for n in np.flatnonzero(kept_rows(traffic, contract))})
    # Those of the file have one row each, and are nobody of the traffic.
    numbers, counts = np.unique(known.customer, return_counts=True)
    assert len(known.customer) == len(known)
    assert (counts == 1).sum() >= len(known) - (~kept_rows(traffic, contract)).sum()
    assert len(numbers) < len(known)
    once = assemble(customers, traffic_of(customers), contract, PARAMS)
    assert once.fresh.customer is once.train.customer is None


def kept_rows(traffic: pd.DataFrame, contract: Contract) -> np.ndarray:
    """Which rows are of customers who are reserved, by the rule alone."""
    (who,) = assign([Source(traffic[contract.feature_names], traffic["customer_id"])], PARAMS.split)
    return who.judges


def test_which_outcome_a_row_of_the_gate_repeats_is_known_where_some_stand_for_others(
    customers: Dataset, contract: Contract
) -> None:
    traffic = traffic_of(simulate(contract, 3_000, seed=8))
    assert assemble(customers, traffic, contract, PARAMS).fresh.original is None
    weight = np.where(np.arange(3_000) % 7 == 0, 3.0, 1.0)
    fresh = assemble(customers, traffic.assign(weight=weight), contract, PARAMS).fresh
    assert fresh.original is not None
    assert fresh.customer is not None
    _, rows = np.unique(fresh.original, return_counts=True)
    assert set(rows.tolist()) == {1, 3}
    # Rows of one outcome are rows of one customer.
    assert len(np.unique(np.stack([fresh.original, fresh.customer]), axis=1).T) == len(rows)
    some = fresh.take(np.arange(0, len(fresh), 2))
    assert some.original is not None
    assert some.original.tolist() == fresh.original[::2].tolist()


def test_of_a_mean_an_ordinary_pipeline_is_the_model_and_its_members_are_told(
    customers: Dataset, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {"features__trees": [0], "features__knots": [0], "features__strictness": [0.5]}
    monkeypatch.setitem(params_module.GRIDS, "terms", [lines])
    monkeypatch.setattr(params_module, "BOOSTED_GRID", [lines | {"features__boosted": [10], "features__leaves": [2, 8]}])
    found = fit(customers, contract, TERMS.model_copy(update={"tuning": TuningParams(folds=2)}))
    assert isinstance(found.tuned.pipeline, MeanOfModels)
    loaded = skops_io.loads(dump_pipeline(found.model.judged.pipeline), trusted=TRUSTED_TYPES)
    assert type(loaded) is type(skops_io.loads(dump_pipeline(found.model.pipeline), trusted=TRUSTED_TYPES)) is Pipeline
    asked = customers.features[found.model.info.features]
    assert np.array_equal(loaded.predict_proba(asked), found.tuned.pipeline.predict_proba(asked))
    assert {"member_1", "member_2"} <= set(found.model.info.params)
    assert found.model.info.threshold == choose_threshold(
        found.learned.outcome.to_numpy(), found.tuned.out_of_fold, TERMS.threshold, TERMS.profit
    )
