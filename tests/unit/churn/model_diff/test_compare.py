"""Two versions side by side: what is said is true of the models themselves, and what cannot be compared is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from churn.clock import now
from churn.config.params import Params
from churn.contract import Contract
from churn.customers.pseudonym import Pseudonymiser
from churn.data.dataset import Dataset
from churn.errors import InputError
from churn.evaluation.paired import Answers
from churn.model_diff.compare import ModelDiff, compare
from churn.model_diff.customers import largest_changes, named_by
from churn.modeling.model import Model, ModelInfo, build_pipeline
from churn.modeling.training_set import assemble
from churn.simulation.simulate import simulate

NOBODY = Pseudonymiser("")
PARAMS = Params.model_validate({"evaluation": {"resamples": 100}})


@pytest.fixture(scope="module")
def customers(contract: Contract) -> Dataset:
    return simulate(contract, 900, 4)


def fitted(contract: Contract, customers: Dataset, version: str, threshold: float, rows: int = 10_000) -> Model:
    known = assemble(customers, None, contract, PARAMS)
    features = known.train.features.head(rows)
    pipeline = build_pipeline(3, form="terms", contract=contract).set_params(features__trees=10)
    info = ModelInfo(
        name="churn",
        version=version,
        trained_at=now(),
        data_digest="d" + version,
        data_source="s",
        rows=len(features),
        contract=contract.name,
        contract_digest=contract.digest,
        features=contract.feature_names,
        threshold=threshold,
        split_rule=known.rule,
        reserved=PARAMS.split.reserved,
    )
    return Model(pipeline.fit(features, known.train.outcome.head(rows)), info)


@pytest.fixture(scope="module")
def models(contract: Contract, customers: Dataset) -> tuple[Model, Model]:
    return fitted(contract, customers, "3", 0.3, 300), fitted(contract, customers, "4", 0.2)


@pytest.fixture(scope="module")
def found(contract: Contract, customers: Dataset, models: tuple[Model, Model]) -> ModelDiff:
    return compare(*models, customers, contract, PARAMS, NOBODY, top=30)


def logit(p: float) -> float:
    return float(np.log(p) - np.log1p(-p))


def changed(model: Model, **info: object) -> Model:
    return replace(model, info=model.info.model_copy(update=info))


def test_scores_are_of_those_held_out_of_both(
    found: ModelDiff, contract: Contract, customers: Dataset, models: tuple[Model, Model]
) -> None:
    held = assemble(customers, None, contract, PARAMS).holdout
    assert (found.labelled, found.held_out) == (len(customers), len(held))
    scores = {score.measure: score for score in found.scores}
    brier = [float(np.mean((model.predict_probability(held.features) - held.outcome) ** 2)) for model in models]
    assert (scores["brier"].first, scores["brier"].second) == pytest.approx(tuple(brier))
    assert scores["brier"].low <= scores["brier"].difference <= scores["brier"].high
    assert {part.column for part in found.slices} >= {"voice_mail_plan"}
    assert not found.notes


def test_who_is_named_adds_up_and_is_what_the_models_say(
    found: ModelDiff, customers: Dataset, models: tuple[Model, Model]
) -> None:
    named = found.named
    first, second = (model.predict_probability(customers.features) >= model.info.threshold for model in models)
    assert named.first_only == int((first & ~second).sum())
    assert named.second_only == int((second & ~first).sum())
    assert named.both + named.first_only + named.second_only + named.neither == len(customers)
    assert sum(named.churned.values()) == customers.labelled.sum()


def test_the_changes_are_the_largest_and_the_named_ones_first(
    found: ModelDiff, customers: Dataset, models: tuple[Model, Model]
) -> None:
    first, second = (model.predict_probability(customers.features) for model in models)
    disputed = found.named.first_only + found.named.second_only
    kinds = [change.named_by in ("first", "second") for change in found.changes]
    assert kinds == sorted(kinds, reverse=True)
    assert sum(kinds) == min(disputed, 30)
    for change in found.changes:
        at = int(change.customer.removeprefix("row ")) - 1 if customers.customer_id is None else None
        if at is None:
            assert customers.customer_id is not None
            at = customers.customer_id.tolist().index(change.customer)
        assert (change.first, change.second) == pytest.approx((first[at], second[at]))
        assert change.churned == bool(customers.labelled.iloc[at])
    moved = [abs(change.second - change.first) for change, named in zip(found.changes, kinds, strict=True) if not named]
    assert moved == sorted(moved, reverse=True)


def test_reasons_are_the_differences_of_exact_contributions(
    contract: Contract, customers: Dataset, models: tuple[Model, Model]
) -> None:
    """All columns' differences, and that of the base, add up to the change of the log-odds."""
    from churn.inference.compiler import compile_pipeline
    from churn.model_diff.reasons import Reasons

    some = customers.features.head(20)
    parts = []
    for model in models:
        compiled = compile_pipeline(model.pipeline, model.info.features, contract)
        assert compiled is not None
        reasons = Reasons(compiled)
        base = reasons._attributor.plan.base
        parts.append(base + reasons.of(some).sum(axis=1))
        np.testing.assert_allclose(parts[-1], [logit(p) for p in model.predict_probability(some)], atol=1e-8)


def test_terms_are_in_one_or_both_and_weigh_what_they_weigh(found: ModelDiff) -> None:
    sides = {(term.first is None, term.second is None) for term in found.terms}
    assert (True, True) not in sides
    assert len(sides) > 1
    sizes = [term.size for term in found.terms]
    assert sizes == sorted(sizes, reverse=True)
    assert len({term.term for term in found.terms}) == len(found.terms)
    assert any("international_plan = " in term.term or "international_plan" in term.term for term in found.terms)


def test_columns_weigh_as_much_as_they_contribute_on_average(found: ModelDiff) -> None:
    moved = [abs(new - old) for old, new in found.columns.values()]
    assert moved == sorted(moved, reverse=True)
    assert max(map(max, found.columns.values())) > 0.1


def test_a_model_that_is_no_sum_of_terms_has_scores_and_changes_but_no_reasons(
    contract: Contract, customers: Dataset, models: tuple[Model, Model]
) -> None:
    features = contract.numeric_features
    known = customers.features[features].fillna(0)
    odd = make_pipeline(StandardScaler(), LogisticRegression()).fit(known, customers.labelled)
    other = replace(changed(models[1], features=features, version="9"), pipeline=odd)
    complete = replace(customers, features=customers.features.fillna(dict.fromkeys(features, 0.0)))
    said = compare(models[0], other, complete, contract, PARAMS, NOBODY, top=3)
    assert said.terms == []
    assert said.columns == {}
    assert said.scores
    assert [change.reasons for change in said.changes] == [[], [], []]
    assert "version 9 is no sum of terms: neither terms nor reasons can be compared" in said.notes


def test_a_version_that_may_have_learned_from_the_held_out_is_named(
    contract: Contract, customers: Dataset, models: tuple[Model, Model]
) -> None:
    other = changed(models[0], split_rule="of another key", contract_digest="0")
    said = compare(other, models[1], customers, contract, PARAMS, NOBODY)
    assert [note.split(" (")[0] for note in said.notes] == [
        "version 3 may have been trained on some of those held out",
        f"version 3 was trained under another edition of contract {contract.name!r}",
    ]


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"version": "3"}, "both are version 3: name two versions"),
        ({"contract": "bank"}, "version 4 was trained under contract 'bank', and CHURN_CONTRACT names 'telecom'"),
        ({"features": ["age", "salary"]}, "reads age, salary, which contract 'telecom' lacks"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    info: dict[str, object], said: str, contract: Contract, customers: Dataset, models: tuple[Model, Model]
) -> None:
    with pytest.raises(InputError, match=r"^[^\n]+$") as refused:
        compare(models[0], changed(models[1], **info), customers, contract, PARAMS, NOBODY)
    assert said in str(refused.value)


def test_of_one_class_all_customers_are_scored_and_it_is_said(
    contract: Contract, customers: Dataset, models: tuple[Model, Model]
) -> None:
    nobody_left = replace(customers, outcome=pd.Series(np.zeros(len(customers), dtype=np.int64)))
    said = compare(*models, nobody_left, contract, PARAMS, NOBODY)
    assert "nobody, or one class only, is held out" in said.notes[0]
    assert "roc_auc" not in {score.measure for score in said.scores}
    assert said.held_out == said.labelled == len(customers)


def test_who_is_named_by_one_comes_before_a_larger_change() -> None:
    answers = Answers(np.array([0.1, 0.5, 0.2]), 0.5), Answers(np.array([0.4, 0.45, 0.2]), 0.5)
    assert named_by(*answers).tolist() == ["neither", "first", "neither"]
    found = largest_changes(pd.DataFrame({"x": [1, 2, 3]}), pd.Series(["a", "b", "c"]), np.array([0, 1, 0]), answers, None, 5)
    assert [change.customer for change in found] == ["b", "a"], "and who does not change is not named"
