"""A candidate that is trained with reweighed customers, whether it is taken, and what it costs.

The best candidate of the search is fitted once more with weights (`churn.fairness.weights`), in the same folds. It is taken if
that narrows a gap between groups beyond chance and costs little; both are judged on out-of-fold probabilities, where each
customer counts as ever: the weights are for learning only. What it cost is then measured on the holdout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from churn.config.params import Params
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.data.many_rows import MAX_FITTED, draw_rows, predict_in_blocks, restore_churn_rate, rows_within
from churn.evaluation.paired import Answers, paired_differences
from churn.evaluation.statistics import log_losses
from churn.fairness.gaps import Widening, groups_of, widenings
from churn.fairness.weights import cells_of, reweighed

Floats = NDArray[np.float64]
# What it cost is told in these, by the names of `Scorecard`.
COSTS = ("log_loss", "roc_auc", "pr_auc", "brier", "profit", "selection_rate")


@dataclass(frozen=True)
class Fit:
    """One candidate: fitted on all training customers, with its out-of-fold probabilities, its threshold and its mean score."""

    pipeline: Pipeline
    out_of_fold: Floats
    threshold: float
    score: float


@dataclass(frozen=True)
class Reweighing:
    """Whether a reweighed candidate was taken, why, and what it changes.

    Attributes
    ----------
    taken : bool
    sentence : str
        For people.
    cells : list of str
        The groups that were made alike.
    weighed, rows : int
        How many of the training rows are in such a group.
    confidence : float
        Of all intervals.
    log_loss_cost : float or None
        By what share log loss is higher, out of fold; None if nothing was fitted.
    chosen_by, gaps : list of Widening
        Each judged gap without and with weights: out of fold, by which it was chosen, and on the holdout.
    costs : dict of str to (without, with, difference, low, high)
        Scores on the holdout.
    """

    taken: bool
    sentence: str
    cells: list[str] = field(default_factory=list)
    weighed: int = 0
    rows: int = 0
    confidence: float = 0.95
    log_loss_cost: float | None = None
    chosen_by: list[Widening] = field(default_factory=list)
    gaps: list[Widening] = field(default_factory=list)
    costs: dict[str, tuple[float, float, float, float, float]] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Return the sensitive columns that have groups."""
        return list(dict.fromkeys(gap.column for gap in self.chosen_by))

    def report(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return asdict(self)

    def metrics(self, prefix: str = "fairness_") -> dict[str, float]:
        """Return what it changed on the holdout, for a tracker: `cost_<score>` and `gap_<rate>_<column>`, with bounds."""
        changes = {f"cost_{name}": found[2:] for name, found in self.costs.items()}
        changes |= {f"gap_{gap.measure}_{gap.column}": (gap.change, gap.low, gap.high) for gap in self.gaps}
        return {
            f"{prefix}{name}{end}": value
            for name, values in changes.items()
            for end, value in zip(("", "_low", "_high"), values, strict=True)
        }


def consider(
    plain: Fit,
    known: Labelled,
    held: Labelled,
    features: list[str],
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    choose_threshold: Callable[[Floats], float],
    contract: Contract,
    params: Params,
) -> tuple[Fit, Reweighing]:
    """Fit the candidate once more with reweighed customers, and take the better of both.

    Parameters
    ----------
    plain : Fit
        The best candidate of the search.
    known, held : Labelled
        The training customers, and the holdout.
    features : list of str
        The columns that the model reads.
    folds : sequence of (array of int, array of int)
        Rows to fit on, and rows to predict. The weights are computed from the first alone.
    choose_threshold : callable
        Gives the threshold for out-of-fold probabilities.
    contract : Contract
    params : Params

    Returns
    -------
    taken : Fit
        `plain` itself, or the reweighed one.
    reweighing : Reweighing
    """
    sizes, last = params.evaluation.slices, plain.pipeline.steps[-1]
    cells = cells_of(known, contract, sizes)
    if cells.nunique() < 2:
        _, notes = groups_of(known, contract, sizes)
        return plain, Reweighing(
            False, f"there are no groups to reweigh ({'; '.join(notes) or 'those that cross are too small'})"
        )
    if not has_fit_parameter(last[1], "sample_weight"):
        return plain, Reweighing(False, f"{type(last[1]).__name__} learns from no weights")
    x, y, scorer = known.features[features], known.outcome, get_scorer(params.tuning.scoring)

    def fitted(rows: NDArray[np.int64]) -> Pipeline:
        part = known.take(draw_rows(rows, rows_within(MAX_FITTED, len(features)), y.to_numpy(), params.seed))
        weight = reweighed(part.outcome.to_numpy(), cells_of(part, contract, sizes))
        told: dict[str, Any] = {f"{last[0]}__sample_weight": weight}
        step = plain.pipeline.named_steps.get("features")
        if step is not None and has_fit_parameter(step, "sample_weight"):
            # Trees that know of no weights would bring back what the weights take away.
            told |= {"features__sample_weight": weight, "features__customer": part.customer}
        made = clone(plain.pipeline).fit(part.features[features], part.outcome, **told)
        return restore_churn_rate(made, part.outcome.to_numpy(), y.to_numpy()[rows])

    out_of_fold, scores = np.empty(len(known)), []
    for learned, predicted in folds:
        of_fold = fitted(learned)
        out_of_fold[predicted] = predict_in_blocks(of_fold, x.iloc[predicted])
        scores.append(float(scorer(of_fold, x.iloc[predicted], y.iloc[predicted])))
    threshold = choose_threshold(out_of_fold)
    other = Fit(fitted(np.arange(len(known))), out_of_fold, threshold, float(np.mean(scores)))
    return _choose(plain, other, cells, known, held, features, contract, params)


def _choose(
    plain: Fit,
    other: Fit,
    cells: pd.Series,
    known: Labelled,
    held: Labelled,
    features: list[str],
    contract: Contract,
    params: Params,
) -> tuple[Fit, Reweighing]:
    rows = np.flatnonzero(known.sensitive.notna().any(axis=1)) if known.sensitive is not None else np.arange(0)
    told = known.take(rows)
    sides = [Answers(fit.out_of_fold[rows], fit.threshold) for fit in (plain, other)]
    gaps = _compare(told, sides, contract, params)
    y = known.outcome.to_numpy()
    cost = float(log_losses(y, other.out_of_fold).mean() / log_losses(y, plain.out_of_fold).mean() - 1)
    taken, sentence = _verdict(gaps, cost, params)
    x = held.features[features]
    sides = [Answers(predict_in_blocks(fit.pipeline, x), fit.threshold) for fit in (plain, other)]
    costs = paired_differences(
        held.outcome.to_numpy(),
        *(sides[0], sides[1], params.evaluation, params.seed),
        profit=params.profit,
        customer=held.customer,
    )
    result = Reweighing(
        taken,
        sentence,
        sorted(set(cells.dropna())),
        int(cells.notna().sum()),
        len(cells),
        params.evaluation.confidence,
        cost,
        gaps,
        _compare(held, sides, contract, params),
        {name: costs[name] for name in COSTS if name in costs},
    )
    return other if taken else plain, result


def _compare(known: Labelled, sides: Sequence[Answers], contract: Contract, params: Params) -> list[Widening]:
    groups, _ = groups_of(known, contract, params.evaluation.slices)
    how = params.evaluation
    return widenings(
        known.outcome.to_numpy(),
        *(sides[0], sides[1], groups, params.fairness.gaps),
        # Both ends of an interval, of which each is one-sided.
        confidence=(1 + how.confidence) / 2,
        resamples=how.resamples,
        seed=params.seed,
        customer=known.customer,
    )


def _verdict(gaps: Sequence[Widening], cost: float, params: Params) -> tuple[bool, str]:
    """Decide by out-of-fold probabilities, and say why."""
    how = params.fairness
    narrower = [gap for gap in gaps if gap.high < 0 and gap.change < -how.margin]
    wider = [gap for gap in gaps if gap.low > 0 and gap.change > how.margin]
    said = f"log loss {cost:+.1%} out of fold"
    if how.reweigh == "always":
        return True, f"trained with reweighed customers, as fairness.reweigh says ({said})"
    if wider:
        return False, f"reweighing is not taken: it widens {_numbers(wider)} ({said})"
    if not narrower:
        return False, f"reweighing is not taken: it narrows no gap by more than {how.margin:g} beyond chance ({said})"
    if cost > how.max_cost:
        return False, f"reweighing is not taken: {said} is more than {how.max_cost:.1%}, though it narrows {_numbers(narrower)}"
    return True, f"trained with reweighed customers: that narrows {_numbers(narrower)}, at {said}"


def _numbers(gaps: Sequence[Widening]) -> str:
    return ", ".join(f"{gap.name} from {gap.first:.3f} to {gap.second:.3f}" for gap in gaps)
