"""What the model makes of each column: an additive picture of it, fitted to its own answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitoring.drift.columns import OUTCOME, PROBABILITY
from monitoring.drift.rank_scores import RankScores

# Ridge: as much shrinkage as so many rows would give. Columns with the same information share their weight.
SHRINKAGE = 10.0
MAX_ROWS = 20_000
# A column that moves log-odds by less than this share of their spread is one that the model ignores.
IGNORED_SHARE = 0.03


@dataclass(frozen=True)
class Weights:
    """An additive picture of the model: log-odds = sum of weights times scores.

    Attributes
    ----------
    scores : dict of ndarray
        A weight for each rank score of a number or flag, in log-odds.
    levels : dict of dict
        A weight for each level of a category, in log-odds.
    shares : dict of float
        Standard deviation of a column's part, as a share of that of the log-odds.
    """

    scores: dict[str, NDArray[np.float64]]
    levels: dict[str, dict[str, float]]
    shares: dict[str, float]

    def ignores(self, name: str) -> bool:
        """Return whether the model makes next to nothing of a column; never of a constant one, which it could not learn from."""
        return self.shares.get(name, 1.0) < IGNORED_SHARE


def fit_weights(reference: pd.DataFrame, scores: dict[str, RankScores], categories: list[str]) -> Weights | None:
    """Fit the picture to the model's own answers on the reference, or, without answers, to who left.

    Ridge regression of the log-odds (or of the outcome, divided by the variance of a coin with its mean: one Newton step of a
    logistic regression) on the rank scores and levels.

    Parameters
    ----------
    reference : pandas.DataFrame
        The reference; columns may be absent.
    scores : dict of RankScores
        Of its numbers and flags, by column.
    categories : list of str
        Names of the categories.

    Returns
    -------
    Weights or None
        None without answers and outcomes, or without columns.
    """
    if len(reference) > MAX_ROWS:
        reference = reference.sample(MAX_ROWS, random_state=0)
    answer = _answer(reference)
    if answer is None:
        return None
    blocks: list[tuple[str, list[str] | None, NDArray[np.float64]]] = []
    for name, fitted in scores.items():
        if name != PROBABILITY:
            blocks.append((name, None, fitted.of_column(reference[name].to_numpy(dtype=np.float64)).astype(np.float64)))
    for name in categories:
        if name in reference:
            levels = sorted({str(level) for level in reference[name].dropna()})
            table = np.array([(reference[name] == level).to_numpy(dtype=np.float64) for level in levels]).T
            if table.size:
                blocks.append((name, levels, table - table.mean(axis=0)))
    if not blocks:
        return None
    design = np.hstack([block for _, _, block in blocks])
    centred = answer - answer.mean()
    gram = design.T @ design + SHRINKAGE * np.eye(design.shape[1])
    fitted_weights = np.linalg.solve(gram, design.T @ centred)
    spread = float(centred.std()) or 1.0
    found = Weights({}, {}, {})
    start = 0
    for name, names, block in blocks:
        weights = fitted_weights[start : start + block.shape[1]]
        start += block.shape[1]
        found.shares[name] = float((block @ weights).std()) / spread
        if names is None:
            found.scores[name] = weights
        else:
            found.levels[name] = dict(zip(names, weights.tolist(), strict=True))
    return found


def _answer(reference: pd.DataFrame) -> NDArray[np.float64] | None:
    if PROBABILITY in reference:
        p = np.clip(reference[PROBABILITY].to_numpy(dtype=np.float64), 1e-6, 1 - 1e-6)
        return np.asarray(np.log(p) - np.log1p(-p)) if not np.isnan(p).any() and p.size else None
    if OUTCOME in reference:
        y = reference[OUTCOME].to_numpy(dtype=np.float64)
        if y.size and 0 < y.mean() < 1:
            return np.asarray(y / (y.mean() * (1 - y.mean())))
    return None
