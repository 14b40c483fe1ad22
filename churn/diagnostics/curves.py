"""All curves of one training: tables, pictures and sentences, as a run and a model card keep them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from churn.config.params import TuningParams
from churn.data.labelled import Labelled
from churn.diagnostics.learning import MAX_ROWS, LearningCurve, measure_learning
from churn.diagnostics.pictures import draw_learning, draw_validation
from churn.diagnostics.validation import ValidationCurve, measure_validation, searched_curves
from churn.modeling.tuning import Tuned

NOT_ASKED = "Not measured: `churn train --curves` does."
TOO_FEW = "Cannot be told: too few customers of a class to leave some out."


@dataclass(frozen=True)
class Curves:
    """The curves of a training.

    Attributes
    ----------
    learning : LearningCurve or None
    validation : list of ValidationCurve
    asked : bool
        Whether the learning curve was asked for.
    """

    learning: LearningCurve | None = None
    validation: list[ValidationCurve] = field(default_factory=list)
    asked: bool = False

    def report(self) -> dict[str, Any]:
        """Return the sentences for a card: `more_customers` (str) and `too_simple` (list of str)."""
        said = NOT_ASKED if not self.asked else TOO_FEW
        if self.learning is not None:
            said = self.learning.sentence()
            if self.learning.left_out:
                said += f" Of {self.learning.left_out + MAX_ROWS:,} customers {MAX_ROWS:,} were drawn for this."
        return {"more_customers": said, "too_simple": [curve.sentence() for curve in self.validation]}

    def files(self) -> dict[str, Any]:
        """Return the artifacts of a run by name: pictures and tables."""
        files: dict[str, Any] = {}
        if self.learning is not None:
            files["plots/learning_curve.png"] = draw_learning(self.learning)
            files["curves/learning.csv"] = self.learning.table()
        if self.validation:
            files["plots/validation_curves.png"] = draw_validation(self.validation)
            files["curves/validation.csv"] = pd.concat([curve.table() for curve in self.validation], ignore_index=True)
        return files


def find_curves(
    tuned: Tuned, train: Labelled, features: list[str], params: TuningParams, seed: int, *, measure: bool = False
) -> Curves:
    """Return the curves of a training: those that its search has drawn, or with `measure` those that take more fits.

    Parameters
    ----------
    tuned : Tuned
    train : Labelled
        The customers that it learned from.
    features : list of str
        The columns the model reads, in order.
    params : TuningParams
    seed : int
    measure : bool
        Fit the chosen model some 60 times more, on at most `churn.diagnostics.learning.MAX_ROWS` customers.

    Returns
    -------
    Curves
    """
    searched = [] if params.search == "halving" else searched_curves(tuned, params.scoring)
    if not measure:
        return Curves(validation=searched)
    given = (tuned.pipeline, train, features, params.scoring, params.folds, seed)
    measured = measure_validation(*given)
    known = {curve.parameter for curve in measured}
    return Curves(measure_learning(*given), [*measured, *(curve for curve in searched if curve.parameter not in known)], True)
