"""The mean of several models is one ordinary pipeline, and whoever refits it refits all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from churn.modeling.features import LinearTerms
from churn.modeling.model import build_pipeline
from churn.modeling.search.mean_of_models import MeanOfModels, as_one, merge
from churn.registry.serialization import dump_pipeline
from churn.registry.trusted_types import TRUSTED_TYPES
from tests.skops_io import skops_io

Members = list[dict[str, Any]]
KINDS: Members = [
    {"features__trees": 0, "features__knots": 3, "features__strictness": 0.1, "logreg__C": 0.1},
    {"features__trees": 12, "features__strictness": 0.2, "logreg__C": 1.0},
    {"features__trees": 12, "features__strictness": 0.6, "logreg__C": 0.01},
    {"features__trees": 0, "features__strictness": 0.5, "features__boosted": 8, "features__leaves": 4},
    {"features__trees": 0, "features__strictness": 0.1, "features__boosted": 8, "features__leaves": 4},
    {"features__trees": 12, "features__strictness": 0.3, "features__boosted": 5, "features__leaves": 2},
]


def customers(rows: int = 300, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Draw customers with numbers and a category, some of them missing."""
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"a": rng.normal(5, 2, rows), "b": rng.integers(0, 4, rows).astype(float)})
    p = expit(2 * np.sign((x["a"] - 5) * (x["b"] - 1.5)) - 1)
    x["plan"] = pd.Series(rng.choice(["basic", "full"], rows)).where(rng.random(rows) > 0.1, None)
    x["a"] = x["a"].mask(rng.random(rows) < 0.1)
    return x, pd.Series((rng.random(rows) < p).astype(np.int64))


def base(**changes: Any) -> Pipeline:
    return build_pipeline(1, form="terms").set_params(features__relations={"a": ("b", 0.3)}, **changes)


def log_odds(pipeline: Pipeline, x: pd.DataFrame) -> np.ndarray:
    return np.asarray(pipeline.decision_function(x))


@settings(max_examples=5, deadline=None)
@given(
    st.lists(st.integers(0, len(KINDS) - 1), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from([0.25, 0.5, 1.0, 3.0]), min_size=4, max_size=4),
    st.sampled_from([0, 7]),
    st.booleans(),
)
def test_it_says_the_mean_of_what_its_members_say(places: list[int], parts: list[float], seed: int, told: bool) -> None:
    (x, y), members = customers(seed=seed), [KINDS[place] for place in places]
    weights = [part / sum(parts[: len(members)]) for part in parts[: len(members)]]
    weight = np.random.default_rng(seed).uniform(0.2, 3, len(x))
    known = (
        {"features__customer": np.arange(len(x)) // 2, "features__sample_weight": weight, "logreg__sample_weight": weight}
        if told
        else {}
    )
    mean = MeanOfModels(base().steps, members, weights).fit(x, y, **known)
    alone = [base(**member).fit(x, y, **known) for member in members]
    asked, _ = customers(seed=99)
    asked.loc[0] = [np.nan, np.nan, None]
    expected = sum(weight * log_odds(one, asked) for weight, one in zip(weights, alone, strict=True))
    np.testing.assert_allclose(log_odds(mean, asked), expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(as_one(mean).predict_proba(asked)[:, 1], expit(expected), rtol=0, atol=1e-9)


def test_a_term_of_several_members_is_there_once_and_so_are_their_trees() -> None:
    x, y = customers()
    mean = MeanOfModels(base().steps, [KINDS[3], KINDS[4]], [0.5, 0.5]).fit(x, y)
    alone = [base(**member).fit(x, y)["features"] for member in (KINDS[3], KINDS[4])]
    step = mean["features"]
    assert set(step.terms.ramps) == {ramp for one in alone for ramp in one.terms.ramps}
    assert len(step.terms.ramps) == len(set(step.terms.ramps)) < sum(len(one.terms.ramps) for one in alone)
    assert len(step.nodes_) == len(alone[0].nodes_), "the same trees stand beside both"
    assert len(mean["logreg"].coef_[0]) == len(step.terms) + 1 == len(step.get_feature_names_out())
    assert step.transform(x).shape == (300, len(step.terms) + 1)


def test_of_one_member_it_is_that_member() -> None:
    x, y = customers()
    mean, alone = MeanOfModels(base().steps, [KINDS[5]], [1.0]).fit(x, y), base(**KINDS[5]).fit(x, y)
    assert mean["features"].terms == alone["features"].terms
    np.testing.assert_allclose(log_odds(mean, x), log_odds(alone, x), rtol=0, atol=1e-12)


def test_what_is_stored_is_an_ordinary_pipeline_and_says_the_same_when_loaded() -> None:
    x, y = customers()
    mean = MeanOfModels(base().steps, KINDS[1:4], [0.5, 0.25, 0.25]).fit(x, y)
    stored = dump_pipeline(as_one(mean))
    loaded = skops_io.loads(stored, trusted=TRUSTED_TYPES)
    assert type(loaded) is Pipeline
    assert [type(step) for step in loaded.named_steps.values()] == [type(step) for _, step in base().steps]
    assert np.array_equal(loaded.predict_proba(x), mean.predict_proba(x))
    again = MeanOfModels(base().steps, KINDS[1:4], [0.5, 0.25, 0.25]).fit(x, y)
    assert dump_pipeline(as_one(again)) == stored


def test_an_ordinary_pipeline_is_stored_as_it_is() -> None:
    pipeline = base()
    assert as_one(pipeline) is pipeline


def counted(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    fits: list[float] = []
    fit_transform = LinearTerms.fit_transform

    def counting(self: LinearTerms, *given: Any, **further: Any) -> Any:
        fits.append(self.strictness)
        return fit_transform(self, *given, **further)

    monkeypatch.setattr(LinearTerms, "fit_transform", counting)
    return fits


@pytest.mark.parametrize("places", [(3, 1), (1, 3), (5, 0)])
def test_a_refit_of_a_fitted_one_gives_the_same_whatever_each_member_names(places: tuple[int, ...]) -> None:
    """A member is what its own parameters and those of the steps say, not what another one has."""
    (x, y), members = customers(), [KINDS[place] for place in places]
    mean = MeanOfModels(base().steps, members, [0.75, 0.25])
    given = {name: step.get_params() for name, step in mean.steps}
    first = log_odds(mean.fit(x, y), x)
    assert {name: step.get_params() for name, step in mean.steps} == given
    assert np.array_equal(log_odds(clone(mean).fit(x, y), x), first)
    assert np.array_equal(log_odds(mean.fit(x, y), x), first)


@pytest.mark.parametrize("copy", [clone, lambda mean: clone(clone(mean)), lambda mean: mean])
def test_whoever_refits_it_refits_all_members(
    copy: Callable[[MeanOfModels], MeanOfModels], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = customers()
    mean = MeanOfModels(base().steps, KINDS[:2], [0.75, 0.25]).fit(x, y)
    fits = counted(monkeypatch)
    half = x.iloc[:150], y.iloc[:150]
    again = copy(mean).fit(*half)
    assert fits == [member["features__strictness"] for member in KINDS[:2]]
    fresh = MeanOfModels(base().steps, KINDS[:2], [0.75, 0.25]).fit(*half)
    np.testing.assert_allclose(log_odds(again, x), log_odds(fresh, x), rtol=0, atol=1e-12)


def test_it_has_parameters_as_any_estimator() -> None:
    mean = MeanOfModels(base().steps, KINDS[:2], [0.75, 0.25])
    assert mean.get_params()["members"] == KINDS[:2]
    assert mean.get_params()["logreg__C"] == 1.0
    other = clone(mean).set_params(members=KINDS[2:4], features__min_rows=9, weights=[0.5, 0.5])
    assert (mean.members, other.members) == (KINDS[:2], KINDS[2:4])
    assert (mean["features"].min_rows, other["features"].min_rows) == (20, 9)
    assert not hasattr(mean["logreg"], "coef_")
    x, y = customers()
    assert other.fit(x, y)[:2].transform(x).shape == (300, len(other["logreg"].coef_[0]))
    assert type(other[:2]) is Pipeline


def test_a_multiple_of_a_parameter_is_one_of_each_members_own_value() -> None:
    mean = MeanOfModels(base(logreg__C=2.0).steps, [KINDS[0], KINDS[3]], [0.5, 0.5])
    assert mean.values_of("logreg__C") == [0.1, 2.0]
    assert mean.values_of("imputer__n_neighbors") == [None, None]
    assert [member["logreg__C"] for member in mean.multiplied("logreg__C", 10)] == pytest.approx([1.0, 20.0])
    assert mean.members == [KINDS[0], KINDS[3]]


def test_members_must_read_the_same_inputs_and_each_needs_a_weight() -> None:
    x, y = customers()
    one, other = (base(**KINDS[0], features__min_rows=rows).fit(x, y) for rows in (20, 400))
    with pytest.raises(ValueError, match="same inputs"):
        merge([one, other], [0.5, 0.5])
    for fitted, weights in (([], []), ([one], [0.5, 0.5])):
        with pytest.raises(ValueError, match="a weight for each"):
            merge(fitted, weights)


def test_the_scale_of_a_term_is_that_of_the_first_member_that_has_it_and_nothing_is_lost() -> None:
    x, y = customers()
    one = base(**KINDS[0]).fit(x, y)
    other = clone(one).fit(x, y, logreg__sample_weight=np.where(y == 1, 3.0, 1.0))
    other["scaler"].mean_ += 0.5
    other["scaler"].scale_ *= 2
    told = expit((log_odds(one, x) + log_odds(other, x)) / 2)
    assert logit(merge([one, other], [0.5, 0.5]).predict_proba(x)[:, 1]) == pytest.approx(logit(told), abs=1e-9)
