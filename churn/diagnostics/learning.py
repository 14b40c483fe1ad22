"""The learning curve: how good the model is with an eighth, a quarter, a half and all of the customers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import learning_curve
from sklearn.pipeline import Pipeline

from churn.data.labelled import Labelled
from churn.data.many_rows import draw_rows
from churn.diagnostics.fold_differences import NAMES, Gain, gain_over_folds
from churn.modeling.folds import make_folds

SHARES = (0.125, 0.25, 0.5, 1.0)
# A training of fewer would say more about who happened to be drawn.
MIN_CLASS_ROWS = 20
# Customers beyond these are left out: the curve is to cost what a training of so many costs, however many there are.
MAX_ROWS = 20_000
# A doubling that gains less than this share of the score is hardly worth the customers.
SMALL = 0.01


@dataclass(frozen=True)
class LearningCurve:
    """The result of `measure_learning`; scores as scikit-learn has them: more is better.

    Attributes
    ----------
    scoring : str
    rows : numpy.ndarray of int, shape (n_sizes,)
        Customers trained on.
    own, others : numpy.ndarray of float64, shape (n_sizes, n_folds)
        Score on the customers trained on, and on the fold that was not.
    left_out : int
        Customers beyond `MAX_ROWS`.
    """

    scoring: str
    rows: np.ndarray
    own: np.ndarray
    others: np.ndarray
    left_out: int = 0

    def table(self) -> pd.DataFrame:
        """Return a row for each size and fold: rows, fold, own, others."""
        sizes, folds = self.others.shape
        return pd.DataFrame(
            {
                "rows": np.repeat(self.rows, folds),
                "fold": np.tile(np.arange(1, folds + 1), sizes),
                "own": self.own.ravel(),
                "others": self.others.ravel(),
            }
        )

    @property
    def gain(self) -> Gain:
        """Return what the last doubling of the customers brought."""
        return gain_over_folds(self.others[-2], self.others[-1])

    def sentence(self) -> str:
        """Say in one sentence whether more customers would help."""
        name, is_loss = NAMES[self.scoring]
        gain, few, many = self.gain, int(self.rows[-2]), int(self.rows[-1])
        when = f"from {few:,} customers to {many:,}, {name} on others"
        better, worse = ("fell", "rose") if is_loss else ("rose", "fell")
        small = SMALL * abs(float(self.others[-1].mean()))
        moved = f"{when} {better if gain.mean >= 0 else worse} by {abs(gain.mean):.4f}"
        bounds = f"95 %: {gain.low:+.4f} to {gain.high:+.4f} better"
        if gain.low > 0:
            return f"More customers would help: {moved} ({bounds})."
        if gain.mean >= small:
            return f"More customers would probably help: {moved} ({bounds}: chance alone might do that)."
        if gain.high < small:
            return f"More customers would hardly help: {moved} ({bounds})."
        return f"Whether more customers would help cannot be told: {moved} ({bounds})."


def measure_learning(
    pipeline: Pipeline, train: Labelled, features: list[str], scoring: str, folds: int, seed: int
) -> LearningCurve | None:
    """Fit a pipeline on growing numbers of the customers, and score it on a fold of the others.

    Parameters
    ----------
    pipeline : Pipeline
        With the parameters that were chosen; it is cloned.
    train : Labelled
    features : list of str
        The columns the model reads, in order.
    scoring : str
        Of scikit-learn.
    folds : int
    seed : int
        Of the draw of the smaller numbers; each holds those before it.

    Returns
    -------
    LearningCurve or None
        None if there are too few customers of a class for at least two sizes.
    """
    known, left_out = bounded(train, seed)
    rarer = int(min(known.outcome.sum(), len(known) - known.outcome.sum())) * (folds - 1) / folds
    shares = [share for share in SHARES if share * rarer >= MIN_CLASS_ROWS]
    if len(shares) < 2:
        return None
    rows, own, others = learning_curve(
        clone(pipeline),
        known.features[features],
        known.outcome,
        groups=known.customer if known.fold is None else None,
        train_sizes=shares,
        cv=make_folds(known, folds, seed),
        scoring=scoring,
        shuffle=True,
        random_state=seed,
        error_score="raise",
    )
    return LearningCurve(scoring, rows, own, others, left_out)


def bounded(train: Labelled, seed: int) -> tuple[Labelled, int]:
    """Return at most `MAX_ROWS` customers, drawn at random, and how many are left out.

    Parameters
    ----------
    train : Labelled
    seed : int

    Returns
    -------
    (Labelled, int)
    """
    if len(train) <= MAX_ROWS:
        return train, 0
    rows = draw_rows(np.arange(len(train)), MAX_ROWS, train.outcome.to_numpy(), seed)
    return train.take(rows), len(train) - MAX_ROWS
