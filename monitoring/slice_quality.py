"""Quality by slice: does the model hold for each group of customers, as it held for them on its reference?

Each slice with enough outcomes is asked the two questions of `monitoring.performance.concept_drift`, against the out-of-fold
answers for the customers of the same slice. Slices overlap, and both questions go together; so the largest of all is compared
with how large it gets by chance, given how the tests go together (Westfall and Young 1993, Resampling-Based Multiple Testing:
single-step minP, with normal draws of the tests' own correlations). Few outcomes of a slice wait for more: each counts once in
each slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from monitoring.drift.null_distribution import MAX_WINDOW_ROWS, MaxDistribution, draw_maxima
from monitoring.performance.concept_drift import Question
from monitoring.performance.metrics import customers_of, outcomes_and_answers
from monitoring.performance.residuals import Moments, contrast, minus_logit, moments_of
from monitoring.slicing import Members, SliceRule, Slicing

if TYPE_CHECKING:
    import pandas as pd

SEED = 20_260_101
# With a smaller variance of the number that leave, by the model's own answers, the p-values of so few are not to be believed.
MIN_VARIANCE = 1.0
LARGE: Question = "calibration in the large"
LOSS: Question = "excess log loss"


@dataclass(frozen=True, slots=True)
class SliceBaseline:
    """What the reference says of a slice.

    Attributes
    ----------
    large, loss : Moments
        Of the residuals of the out-of-fold answers: unweighted, and weighted to the excess log loss.
    brier : float
        Brier score of the out-of-fold answers.
    learned : bool
        Whether the model learned from these very columns. Else its residuals may scatter in ways that few rows do not show
        (`contrast`), and that the whole reference does not know of either.
    """

    rule: SliceRule
    large: Moments
    loss: Moments
    brier: float
    learned: bool = True


@dataclass(frozen=True, slots=True)
class SliceSince:
    """From where on the outcomes of a slice are not judged: numbered above, or of predictions asked for later."""

    column: str
    level: str
    outcome_seq: int
    mature_until: datetime

    def is_new(self, outcomes: pd.DataFrame) -> Members:
        """Return which outcomes the slice was not judged on."""
        new = (outcomes["outcome_seq"] > self.outcome_seq) | (outcomes["requested_at"] > self.mature_until)
        return np.asarray(new.to_numpy(), dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceQuality:
    """One slice, judged on its outcomes since it was last judged.

    Attributes
    ----------
    rows, customers : int
        Outcomes, and of how many customers.
    churn_rate, expected : float
        Share that left; and that was expected: the mean probability, corrected by what the reference says of this slice.
    log_loss, expected_log_loss : float
        In nats; expected likewise.
    brier, reference_brier : float
        Brier scores, here and out of fold on the reference.
    question : {"calibration in the large", "excess log loss"}
        What is said of the slice: the first, unless only the second alarms or is the more surprising of two that do not.
    p_value : float
        How probable so surprising a slice (or more) is among all if nothing changed: adjusted for all slices and both questions.
    alarm : bool
        Whether the p-value is at or below the report's alpha.
    first : bool
        Whether these are the version's first outcomes of a group by a sensitive column. They are compared with what its reference
        says of all customers: the group's own is not known.
    """

    column: str
    level: str
    rows: int
    customers: int
    churn_rate: float
    expected: float
    log_loss: float
    expected_log_loss: float
    brier: float
    reference_brier: float
    question: Question
    p_value: float
    alarm: bool
    first: bool = False


@dataclass(frozen=True, slots=True)
class SliceReport:
    """All slices of a run.

    Attributes
    ----------
    alpha : float
        Chance that any slice alarms although nothing changed.
    judged : tuple of SliceQuality
        In the order of the contract; slices with too few outcomes are not in it.
    since : tuple of SliceSince
        Where the next run goes on, slice by slice.
    introduced : tuple of str
        The sensitive columns whose groups were judged before or by this run: from then on each is compared with its own outcomes.
    """

    alpha: float
    judged: tuple[SliceQuality, ...]
    since: tuple[SliceSince, ...]
    introduced: tuple[str, ...] = ()

    @property
    def alarms(self) -> tuple[SliceQuality, ...]:
        """The slices in which the model is worse than it was, the most surprising first."""
        return self._alarms(first=False)

    @property
    def misses(self) -> tuple[SliceQuality, ...]:
        """The groups that the model misses from the version's first outcomes on, the most surprising first."""
        return self._alarms(first=True)

    @property
    def alarm(self) -> bool:
        """Whether the model is worse in any slice than it was."""
        return bool(self.alarms)

    def _alarms(self, *, first: bool) -> tuple[SliceQuality, ...]:
        found = (one for one in self.judged if one.alarm and one.first is first)
        return tuple(sorted(found, key=lambda one: one.p_value))


def take_baselines(reference: pd.DataFrame, slicing: Slicing, members: Members | None = None) -> tuple[SliceBaseline, ...]:
    """Sum up what a reference says of its slices. Each scatters at least as all customers do: few rows do not show it.

    Parameters
    ----------
    reference : pandas.DataFrame, shape (n, m)
        Columns churn_probability (out-of-fold) and churned, none missing, and those of the slices.
    slicing : Slicing
        Of this reference.
    members : ndarray of bool, shape (n, n_slices), optional
        Who is in which slice, where the reference does not have the columns that tell.

    Returns
    -------
    tuple of SliceBaseline
        One a rule, in their order.
    """
    members = slicing.members_of(reference) if members is None else members
    if not slicing.rules:
        return ()
    large, loss = (moments_of(reference, weigh).scatter for weigh in (np.ones_like, minus_logit))
    own = (take_baseline(rule, reference[members[:, place]]) for place, rule in enumerate(slicing.rules))
    return tuple(replace(one, large=one.large.at_least(large), loss=one.loss.at_least(loss)) for one in own)


def take_baseline(rule: SliceRule, own: pd.DataFrame, *, learned: bool = True) -> SliceBaseline:
    """Sum up what outcomes say of a slice.

    Parameters
    ----------
    rule : SliceRule
        Of the slice.
    own : pandas.DataFrame
        Its rows, one at least: columns churn_probability and churned, none missing; customer_id and share as for `moments_of`.
    learned : bool
        Whether the model learned from the slice's column.

    Returns
    -------
    SliceBaseline
    """
    y, p = outcomes_and_answers(own)
    return SliceBaseline(rule, moments_of(own, np.ones_like), moments_of(own, minus_logit), float(((y - p) ** 2).mean()), learned)


def judge_slices(
    baselines: Sequence[SliceBaseline], outcomes: pd.DataFrame, members: Members, min_customers: int, alpha: float
) -> tuple[SliceQuality, ...]:
    """Judge the slices that have enough outcomes.

    Parameters
    ----------
    baselines : sequence of SliceBaseline
        What the reference says of each.
    outcomes : pandas.DataFrame, shape (n, m)
        Columns churn_probability and churned, none missing, and customer_id if it is known who is who.
    members : ndarray of bool, shape (n, n_slices)
        Whose outcome counts in which slice.
    min_customers : int
        With outcomes of fewer a slice is not judged.
    alpha : float
        In (0, 1): the chance of any alarm if nothing changed.

    Returns
    -------
    tuple of SliceQuality
        The same for the same input: what is random inside is seeded.
    """
    enough = _with_enough_outcomes(outcomes, members, min_customers)
    if not enough:
        return ()
    _, p = outcomes_and_answers(outcomes)
    null = _null_distribution(p, members[:, [*enough]])
    return tuple(
        _judge_slice(baselines[place], outcomes[members[:, place]], customers, null, alpha) for place, customers in enough.items()
    )


def _with_enough_outcomes(outcomes: pd.DataFrame, members: Members, min_customers: int) -> dict[int, int]:
    """Return how many customers with outcomes a slice has, by its place; slices with too few are left out."""
    _, p = outcomes_and_answers(outcomes)
    customer, variance = customers_of(outcomes), p * (1 - p)
    enough = {}
    for place in range(members.shape[1]):
        own = members[:, place]
        counted = int(own.sum()) if customer is None else len(np.unique(customer[own]))
        if counted >= min_customers and float(variance[own].sum()) >= MIN_VARIANCE:
            enough[place] = counted
    return enough


def _judge_slice(baseline: SliceBaseline, own: pd.DataFrame, customers: int, null: MaxDistribution, alpha: float) -> SliceQuality:
    """Judge one slice on its own outcomes; p-values are adjusted for all slices by `null`."""
    from scipy import stats

    y, p = outcomes_and_answers(own)
    large, loss = moments_of(own, np.ones_like), moments_of(own, minus_logit)
    p_values = {
        LARGE: contrast(baseline.large, large, pooled=not baseline.learned).two_sided,
        LOSS: contrast(baseline.loss, loss, pooled=not baseline.learned).upper,
    }
    adjusted = {question: null.p_value(float(stats.norm.isf(value / 2))) for question, value in p_values.items()}
    p_value = min(adjusted.values())
    entropy = float(-(p * np.log(p) + (1 - p) * np.log1p(-p)).mean())
    return SliceQuality(
        column=baseline.rule.column,
        level=baseline.rule.level,
        rows=len(own),
        customers=customers,
        churn_rate=float(y.mean()),
        expected=float(np.clip(p.mean() + baseline.large.mean, 0.0, 1.0)),
        log_loss=entropy + loss.mean,
        expected_log_loss=entropy + baseline.loss.mean,
        brier=float(((y - p) ** 2).mean()),
        reference_brier=baseline.brier,
        question=LARGE if adjusted[LARGE] <= max(alpha, p_value) else LOSS,
        p_value=p_value,
        alarm=p_value <= alpha,
    )


def _null_distribution(p: np.ndarray, members: Members) -> MaxDistribution:
    """Return how large the largest |z| of all tests gets by chance: they go together as their residuals' weights do."""
    deviation = np.sqrt(p * (1 - p))
    tests = [members[:, place] * deviation * weight for place in range(members.shape[1]) for weight in (1.0, minus_logit(p))]
    design = np.stack(tests, axis=1)
    scales = np.sqrt((design**2).mean(axis=0))
    standard = (design / np.where(scales > 0, scales, 1.0)).astype(np.float32)
    return draw_maxima([standard], MAX_WINDOW_ROWS, MAX_WINDOW_ROWS, SEED)[0]


def describe_quality(one: SliceQuality) -> str:
    """Say what was found of a slice, without its name.

    Parameters
    ----------
    one : SliceQuality
        Of any slice.

    Returns
    -------
    str
        "churned 31 % where 12 % was expected", or the same of log losses.
    """
    if one.question == LARGE:
        return f"churned {100 * one.churn_rate:.2g} % where {100 * one.expected:.2g} % was expected"
    return f"log loss {one.log_loss:.3g} where {one.expected_log_loss:.3g} was expected"
