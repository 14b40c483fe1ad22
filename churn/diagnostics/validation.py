"""Validation curves: how good the model is with other values of one parameter, from more rigid to more flexible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import validation_curve
from sklearn.pipeline import Pipeline

from churn.data.labelled import Labelled
from churn.diagnostics.fold_differences import NAMES, gain_over_folds
from churn.diagnostics.learning import bounded
from churn.modeling.folds import make_folds
from churn.modeling.search.mean_of_models import MeanOfModels
from churn.modeling.tuning import Tuned

# Parameters of which one direction is the more flexible: whether that is up, and the factors tried around the chosen value.
FLEXIBLE_UPWARDS = {"logreg__C": True, "features__strictness": False, "features__knots": True, "imputer__n_neighbors": False}
FACTORS: dict[str, tuple[float, ...]] = {
    "logreg__C": (0.01, 0.1, 1, 10),
    "features__strictness": (0.5, 1, 1.5, 2.5),
    "imputer__n_neighbors": (0.2, 1, 3),
}
# Whether a candidate has a sum of boosted trees.
BOOSTED = "param_features__boosted"
# Around 0 a parameter is tried as around this.
MILD = 0.3


@dataclass(frozen=True)
class ValidationCurve:
    """Scores of the model with other values of one parameter, as scikit-learn has them: more is better.

    Attributes
    ----------
    parameter : str
    chosen : float
        The value in use, one of `values`.
    scoring : str
    values : list of float
        Rising.
    others : numpy.ndarray of float64, shape (n_values, n_folds)
        Score on the fold that was not trained on.
    own : numpy.ndarray, the same shape, or None
        Score on the customers trained on; None where only the search's own scores are known.
    """

    parameter: str
    chosen: float
    scoring: str
    values: list[float]
    others: np.ndarray
    own: np.ndarray | None = None

    def table(self) -> pd.DataFrame:
        """Return a row for each value and fold: parameter, value, fold, own (NaN where not known), others."""
        values, folds = self.others.shape
        return pd.DataFrame(
            {
                "parameter": self.parameter,
                "value": np.repeat(self.values, folds),
                "fold": np.tile(np.arange(1, folds + 1), values),
                "own": np.full(values * folds, np.nan) if self.own is None else self.own.ravel(),
                "others": self.others.ravel(),
            }
        )

    def sentence(self) -> str:
        """Say in one sentence whether the model is too simple or too flexible, as far as this parameter tells."""
        name, is_loss = NAMES[self.scoring]
        at = self.values.index(self.chosen)
        best = int(np.argmax(self.others.mean(axis=1)))
        tried = ", ".join(f"{value:g}" for value in self.values)
        score = abs(float(self.others[at].mean()))
        said = f"{self.parameter} = {self.chosen:g}: {name} on others {score:.4f}"
        if best != at:
            gain = gain_over_folds(self.others[at], self.others[best])
            change = f"{self.values[best]:g} is better by {gain.mean:.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
            if gain.beyond_chance:
                more_flexible = (self.values[best] > self.chosen) == FLEXIBLE_UPWARDS.get(self.parameter, True)
                return f"The model is too {'simple' if more_flexible else 'flexible'} by {said}; {change}."
            return f"Neither too simple nor too flexible by {said}; of {tried} the best, {change}, may be chance."
        edge = "" if 0 < at < len(self.values) - 1 else "; it is the last value tried on its side"
        verb = "lowest" if is_loss else "highest"
        return f"Neither too simple nor too flexible by {said}, the {verb} of {tried}{edge}."


def searched_curves(tuned: Tuned, scoring: str) -> list[ValidationCurve]:
    """Return the curves that the search has drawn already, of each number that it tried at least two values of.

    At each value stands the best candidate that has it, of those with a sum of boosted trees if the chosen one has it, else of
    those without. Of a mean, the chosen one is its heaviest member.

    Parameters
    ----------
    tuned : Tuned
    scoring : str

    Returns
    -------
    list of ValidationCurve
        Empty after a search by halving, whose candidates were scored on different customers.
    """
    if tuned.fold_scores.size == 0 or tuned.candidates.empty or not np.isfinite(tuned.fold_scores).all():
        return []
    best = tuned.pipeline.members[0] if isinstance(tuned.pipeline, MeanOfModels) else tuned.best
    boosted = pd.to_numeric(tuned.candidates.get(BOOSTED, pd.Series(0.0, tuned.candidates.index)), errors="coerce") > 0
    alike = boosted == (BOOSTED.removeprefix("param_") in best)
    curves = []
    for column in tuned.candidates.columns[tuned.candidates.columns.str.startswith("param_")]:
        name = str(column).removeprefix("param_")
        numbers = pd.to_numeric(tuned.candidates[column], errors="coerce").where(alike)
        chosen = best.get(name)
        if not isinstance(chosen, int | float) or isinstance(chosen, bool) or numbers.nunique() < 2:
            continue
        # Candidates are in the order of their ranks: the first with a value is its best.
        first = numbers.dropna().drop_duplicates().sort_values()
        values, places = first.to_numpy(dtype=np.float64).tolist(), first.index.to_numpy()
        curves.append(ValidationCurve(name, float(chosen), scoring, values, tuned.fold_scores[places]))
    return curves


def measure_validation(
    pipeline: Pipeline, train: Labelled, features: list[str], scoring: str, folds: int, seed: int
) -> list[ValidationCurve]:
    """Fit a pipeline with other values of each of its parameters that tell rigid from flexible, the rest as chosen.

    Parameters
    ----------
    pipeline : Pipeline
        With the parameters that were chosen; it is cloned. Of a mean, the parameter of each member is multiplied alike, and the
        values are those of the heaviest member of which it is not 0.
    train : Labelled
    features : list of str
        The columns the model reads, in order.
    scoring : str
        Of scikit-learn.
    folds : int
    seed : int

    Returns
    -------
    list of ValidationCurve
    """
    known, _ = bounded(train, seed)
    curves = []
    for name, factors in FACTORS.items():
        if isinstance(pipeline, MeanOfModels):
            chosen = next((value for value in pipeline.values_of(name) if value), None)
        else:
            chosen = pipeline.get_params().get(name)
        if chosen is None:
            continue
        values = _values(chosen, factors)
        varied, tried = name, values
        if isinstance(pipeline, MeanOfModels):
            varied, tried = "members", [pipeline.multiplied(name, value / chosen) for value in values]
        own, others = validation_curve(
            clone(pipeline),
            known.features[features],
            known.outcome,
            param_name=varied,
            param_range=tried,
            groups=known.customer if known.fold is None else None,
            cv=make_folds(known, folds, seed),
            scoring=scoring,
            error_score="raise",
        )
        curves.append(ValidationCurve(name, float(chosen), scoring, [float(value) for value in values], others, own))
    return curves


def _values(chosen: Any, factors: Sequence[float]) -> list[Any]:
    """Return the values to try, rising; whole numbers where the parameter is one, and at least 1."""
    if isinstance(chosen, float) and not chosen:  # what is left out has no multiples: those of a mild value
        return [0.0, *_values(MILD, factors)]
    if isinstance(chosen, int):
        return sorted({chosen, *(max(1, round(chosen * factor)) for factor in factors)})
    return sorted({float(chosen), *(float(f"{chosen * factor:.3g}") for factor in factors)})
