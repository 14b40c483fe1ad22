"""Who takes part: from knowing nothing to boosted trees, each as it is used elsewhere, and the pipeline of this repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from churn.config.params import Form, Params
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.errors import InputError
from churn.modeling.deep.network import check_installed
from churn.modeling.deep.pretraining import pretrain
from churn.modeling.model import build_pipeline
from churn.modeling.tuning import tune
from churn.simulation.pretraining import pretraining_customers

# Learns from the first customers and gives the second ones' churn probabilities.
Baseline = Callable[[Labelled, pd.DataFrame], np.ndarray]
OURS, NETWORK = "terms + logreg (ours)", "neural network"
# What histogram boosting is tuned over: from hardly any interaction to deep ones, and how many trees.
BOOSTING_GRID = {"max_leaf_nodes": [4, 16], "max_iter": [50, 100, 200]}
BOOSTING_FOLDS = 3
# Of the telecom data: the columns that introductory courses use.
SIX = (
    *("account_length", "total_day_minutes", "total_eve_minutes"),
    *("total_night_minutes", "total_intl_minutes", "customer_service_calls"),
)


@dataclass(frozen=True)
class Estimator:
    """A pipeline that is fitted as it is, on some of the columns."""

    pipeline: Pipeline
    columns: list[str]

    def __call__(self, known: Labelled, asked: pd.DataFrame) -> np.ndarray:
        """Fit, and give probabilities of shape (n_asked,)."""
        fitted = self.pipeline.fit(known.features[self.columns], known.outcome)
        return np.asarray(fitted.predict_proba(asked[self.columns])[:, 1], dtype=np.float64)


@dataclass(frozen=True)
class Tuned:
    """A pipeline of this repository, tuned within the customers it learns from; `others` are those a network starts from."""

    contract: Contract
    params: Params
    form: Form
    columns: list[str]
    others: Labelled | None = None

    @cached_property
    def unfitted(self) -> Pipeline:
        """The pipeline before it has seen any of the customers."""
        pipeline = build_pipeline(self.params.seed, form=self.form, contract=self.contract)
        return pipeline if self.others is None else pretrain(pipeline, self.others, self.columns)

    def __call__(self, known: Labelled, asked: pd.DataFrame) -> np.ndarray:
        """Tune, fit, and give probabilities of shape (n_asked,)."""
        best = tune(self.unfitted, known, self.columns, self.params.tuning, self.params.seed, form=self.form).pipeline
        return np.asarray(best.predict_proba(asked[self.columns])[:, 1], dtype=np.float64)


def baselines(contract: Contract, params: Params) -> dict[str, Baseline]:
    """Give the baselines, from the simplest on. Where a contract has categories, those that need numbers get them one-hot."""
    every, numbers, seed = contract.feature_names, contract.numeric_features, params.seed
    # On the telecom data the numbers alone are the recipe, and are what is published; state and area code help nobody there.
    columns = numbers if set(SIX) <= set(every) else every

    def encoded(*steps: object) -> Estimator:
        return Estimator(make_pipeline(_encoder(), *steps), columns)

    found: dict[str, Baseline] = {
        "dummy": encoded(DummyClassifier()),
        "k nearest neighbours": encoded(StandardScaler(), KNeighborsClassifier(25)),
        "decision tree": encoded(DecisionTreeClassifier(max_depth=6, min_samples_leaf=10, random_state=seed)),
    }
    if set(SIX) <= set(every):
        found["six columns + logreg"] = Estimator(make_pipeline(_encoder(), StandardScaler(), _logreg(seed)), list(SIX))
    found["plain logreg"] = encoded(StandardScaler(), _logreg(seed))
    found["random forest"] = encoded(RandomForestClassifier(300, random_state=seed))
    found["gradient boosting"] = encoded(GradientBoostingClassifier(random_state=seed))
    found["histogram boosting, tuned"] = Estimator(make_pipeline(FunctionTransformer(_categories), _boosting(seed)), every)
    if contract.sums:
        # The same help that our pipeline gets from the contract.
        sums = {name: list(total.of) for name, total in contract.sums.items()}
        adding = FunctionTransformer(_add_sums, kw_args={"sums": sums})
        found["plain logreg with sums"] = Estimator(make_pipeline(adding, _encoder(), StandardScaler(), _logreg(seed)), columns)
        with_sums = make_pipeline(adding, _encoder(), GradientBoostingClassifier(random_state=seed))
        found["gradient boosting with sums"] = Estimator(with_sums, columns)
        tuned = make_pipeline(adding, FunctionTransformer(_categories), _boosting(seed))
        found["histogram boosting with sums, tuned"] = Estimator(tuned, every)
    if (explainable := _explainable_boosting(seed)) is not None:
        added = FunctionTransformer(_add_sums, kw_args={"sums": {name: list(total.of) for name, total in contract.sums.items()}})
        found["explainable boosting (EBM)"] = Estimator(
            make_pipeline(added, FunctionTransformer(_categories), explainable), every
        )
    found |= _networks(contract, params.with_form("deep"), every)
    found[OURS] = Tuned(contract, params.with_form("terms"), "terms", every)
    return found


def _networks(contract: Contract, params: Params, columns: list[str]) -> dict[str, Baseline]:
    """Give the neural network of `churn train --form deep`, where PyTorch is installed."""
    try:
        check_installed()
    except InputError:
        return {}
    found: dict[str, Baseline] = {NETWORK: Tuned(contract, params, "deep", columns)}
    if (others := pretraining_customers(contract, params)) is not None:
        found[f"{NETWORK}, pretrained"] = Tuned(contract, params, "deep", columns, others)
    return found


def choose(entered: dict[str, Baseline], wanted: Sequence[str]) -> dict[str, Baseline]:
    """Return the baselines whose name has one of some texts in it; all without any.

    Parameters
    ----------
    entered : dict of str to Baseline
    wanted : sequence of str

    Returns
    -------
    dict of str to Baseline

    Raises
    ------
    InputError
        If a text is in no name.
    """
    for text in wanted:
        if not any(text in name for name in entered):
            raise InputError(f"--only {text}: in no baseline's name; there is {', '.join(entered)}")
    return {name: baseline for name, baseline in entered.items() if not wanted or any(text in name for text in wanted)}


def _explainable_boosting(seed: int) -> Any:
    """Return InterpretML's boosted additive model (Nori et al., 2019, arXiv:1909.09223); None where it is not installed."""
    if find_spec("interpret") is None:
        return None
    glassbox = import_module("interpret.glassbox")
    return glassbox.ExplainableBoostingClassifier(random_state=seed, n_jobs=1)


def _encoder() -> Pipeline:
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True))
    texts = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="?", missing_values=None), OneHotEncoder(handle_unknown="ignore")
    )
    return make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (texts, make_column_selector(dtype_exclude="number")),
        sparse_threshold=0,
    )


def _logreg(seed: int) -> LogisticRegression:
    return LogisticRegression(max_iter=1_000, random_state=seed)


def _boosting(seed: int) -> GridSearchCV:
    """Return histogram boosting, tuned as our pipeline is: by log loss, within the customers that it learns from."""
    boosted = HistGradientBoostingClassifier(early_stopping=False, random_state=seed)
    folds = StratifiedKFold(BOOSTING_FOLDS, shuffle=True, random_state=seed)
    return GridSearchCV(boosted, BOOSTING_GRID, scoring="neg_log_loss", cv=folds)


def _categories(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({name: "category" for name in frame if not pd.api.types.is_numeric_dtype(frame[name])})


def _add_sums(frame: pd.DataFrame, sums: dict[str, list[str]]) -> pd.DataFrame:
    return frame.assign(**{name: frame[parts].sum(axis=1) for name, parts in sums.items()})
