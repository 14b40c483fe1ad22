"""Plan a campaign: leave out whom nobody may call, rank the others, and say what calls to them should bring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn.batch.model import Scorer
from churn.campaigns.call_list import MAX_REASONS, Call
from churn.campaigns.expected import Expected, Floats, expect
from churn.campaigns.ranking import GainsCurve, Limit, gains_curve, number_of_calls, rank
from churn.config.params import ProfitParams
from churn.customers.columns import CustomerColumns
from churn.errors import InputError
from churn.explain.segmenter import Segmenter
from churn.inference.compiled import CompiledModel
from churn.inference.kinds import read_document
from pipelines.candidates import Candidates
from service.scoring.call_reasons import CallReasons
from service.scoring.reason_givers import reason_giver
from service.scoring.scored_batch import BatchSegments
from service.scoring.scorer import CompiledScorer

# Customers of the list whose reasons are found at once.
LISTED_AT_ONCE = 2_000
# Tells who of these customers must not be called, and why.
LeftOut = Callable[[list[str]], dict[str, str]]


@dataclass(frozen=True)
class CampaignPlan:
    """Whom a campaign calls, best first, and what that should bring.

    Attributes
    ----------
    candidates : Candidates
    called : numpy.ndarray of int
        Places among the candidates, ranked.
    expected : Expected
        Of the candidates.
    left_out : dict of str to int
        Customers who would be worth a call and get none, by the reason: `control_group`, `opted_out`, `contacted_lately`.
    below_threshold : int
        Of those who are called, how many the model does not answer as churn. A report compares none of them.
    curve : GainsCurve
        Of all who may be called.
    segments : BatchSegments or None
        Of those who are called, best first; None if the model knows none.
    """

    candidates: Candidates
    called: NDArray[np.int64]
    expected: Expected
    left_out: dict[str, int]
    below_threshold: int
    curve: GainsCurve
    segments: BatchSegments | None = None

    @property
    def ids(self) -> list[str]:
        """The customers who are called, best first."""
        return [self.candidates.ids[at] for at in self.called.tolist()]

    def total(self, of: Floats) -> float:
        """Return the sum over those who are called."""
        return float(of[self.called].sum())

    def by_segment(self) -> list[SegmentTotal]:
        """Return what the calls to each segment should bring, most calls first; segments of nobody are left out."""
        if self.segments is None:
            return []
        found = []
        for number, name in enumerate(self.segments.names):
            some = self.called[self.segments.numbers == number]
            sums = (float(of[some].sum()) for of in (self.expected.saved, self.expected.cost, self.expected.gain))
            found.append(SegmentTotal(name, len(some), *sums))
        return sorted((one for one in found if one.calls), key=lambda one: -one.calls)


@dataclass(frozen=True)
class SegmentTotal:
    """What the calls to the customers of a segment should bring; `saved` in customers, `cost` and `gain` in money."""

    segment: str
    calls: int
    saved: float
    cost: float
    gain: float


def make_campaign_plan(
    candidates: Candidates, scorer: Scorer, profit: ProfitParams, left_out: LeftOut, limit: Limit
) -> CampaignPlan:
    """Choose whom to call.

    Parameters
    ----------
    candidates : Candidates
    scorer : Scorer
        By which they were found.
    profit : ProfitParams
    left_out : callable
        Tells who must not be called, and why.
    limit : Limit

    Returns
    -------
    CampaignPlan

    Raises
    ------
    InputError
        If nobody is left to call.
    """
    model, expected = scorer.model, expect(candidates.probability, candidates.value, profit)
    reasons = left_out(candidates.ids)
    why = [reasons.get(name) or ("control_group" if model.control.has(name) else "") for name in candidates.ids]
    allowed = np.flatnonzero([not one for one in why])
    counted = Counter(filter(None, why))
    order = allowed[rank(expected.gain[allowed])]
    calls = number_of_calls(expected, order, limit)
    if not calls:
        raise InputError(_why_nobody(candidates, expected, order, counted, profit))
    called = order[:calls]
    ranked = np.concatenate([expected.gain[order], -np.sort(-candidates.others_gain)])
    return CampaignPlan(
        candidates=candidates,
        called=called,
        expected=expected,
        left_out={name: counted[name] for name in ("control_group", "opted_out", "contacted_lately")},
        below_threshold=int(np.count_nonzero(candidates.probability[called] < model.threshold)),
        curve=gains_curve(ranked, calls),
        segments=_segments(scorer, candidates.customers, called),
    )


def _segments(scorer: Scorer, customers: CustomerColumns, called: NDArray[np.int64]) -> BatchSegments | None:
    segmenter = call_segmenter(scorer)
    if segmenter is None:
        return None
    some = CustomerColumns({name: customers.values[name][called] for name in segmenter.segments.columns})
    return BatchSegments(segmenter.of_customers(some, scorer.model.contract), segmenter.names)


def _why_nobody(
    candidates: Candidates, expected: Expected, order: NDArray[np.int64], left_out: Counter[str], profit: ProfitParams
) -> str:
    if not candidates.ids:
        best = float(candidates.others_gain.max())
        return (
            f"nobody is worth a call: the best of {candidates.rows:,} customers should bring {best:,.2f} {profit.currency}; "
            "the costs are those of `profit` in params.yaml when the model was trained"
        )
    if len(order):
        first = float(expected.cost[order[0]])
        return f"the budget pays for no call: the first is expected to cost {first:,.2f} {profit.currency}"
    said = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in left_out.most_common())
    return f"nobody is left to call: of {len(candidates.ids):,} who are worth it, {said}"


def listed(plan: CampaignPlan, scorer: Scorer, on_rows: Callable[[int], None] = lambda _rows: None) -> Iterator[list[Call]]:
    """Yield the lines of the list with their reasons, piece by piece.

    Parameters
    ----------
    plan : CampaignPlan
    scorer : Scorer
        By which it was made.
    on_rows : callable
        Told how many lines were made.

    Yields
    ------
    list of Call
    """
    reasons, found = call_reasons(scorer), plan.candidates
    for start in range(0, len(plan.called), LISTED_AT_ONCE):
        here = slice(start, start + LISTED_AT_ONCE)
        some = plan.called[here]
        customers = CustomerColumns({name: values[some] for name, values in found.customers.values.items()})
        columns = (found.probability[some], found.value[some], plan.expected.gain[some])
        numbers = (column.tolist() for column in columns)
        segments = [None] * len(some) if plan.segments is None else plan.segments.of(here)
        yield [
            Call.of(found.ids[at], probability, value, gain, why, segment)
            for at, probability, value, gain, why, segment in zip(
                some.tolist(), *numbers, reasons.of(customers), segments, strict=True
            )
        ]
        on_rows(len(some))


def call_segmenter(scorer: Scorer) -> Segmenter | None:
    """Return what finds the segments of a model; None if it knows none."""
    model = scorer.model
    if model.compiled is None or model.known_segments is None:
        return None
    compiled = read_document(model.compiled)
    return Segmenter.of(compiled, model.known_segments) if isinstance(compiled, CompiledModel) else None


def call_reasons(scorer: Scorer) -> CallReasons:
    """Return what gives the reasons of a model; none if it is not compiled."""
    model = scorer.model
    if model.compiled is None:
        return CallReasons(None, lambda values: values, model.contract, MAX_REASONS)
    compiled = read_document(model.compiled)
    values = CompiledScorer(compiled, model.contract).values
    return CallReasons(reason_giver(compiled, model.contract), values, model.contract, MAX_REASONS)
