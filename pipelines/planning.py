"""Plan a campaign: score a file, leave out whom nobody may call, rank the others, and say what calls to them should bring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from churn.batch.log_rows import Chunk, chunks
from churn.batch.model import Scorer, ScoringModel
from churn.batch.plan import Plan, Terms
from churn.batch.run import usable_cores
from churn.campaigns.call_list import MAX_REASONS, Call
from churn.campaigns.expected import Expected, Floats, expect, split_value, without_features
from churn.campaigns.ranking import GainsCurve, Limit, gains_curve, number_of_calls, rank
from churn.config.params import ProfitParams
from churn.customers.columns import CustomerColumns
from churn.customers.customer import EMPTY_CUSTOMER, request_model
from churn.customers.validation import CustomerRules
from churn.errors import InputError
from churn.inference.compiled import CompiledModel
from service.scoring.call_reasons import CallReasons
from service.scoring.explanations import Explainer
from service.scoring.scorer import CompiledScorer

# Customers of the list whose reasons are found at once.
LISTED_AT_ONCE = 2_000
# Tells who of these customers must not be called, and why.
LeftOut = Callable[[list[str]], dict[str, str]]


@dataclass(frozen=True)
class Candidates:
    """The customers of a file who are worth a call, in its order, and of all others only what they would have brought.

    Attributes
    ----------
    ids : list of str
    probability, value : numpy.ndarray of float, shape (n,)
    customers : CustomerColumns
    rows : int
        Customers of the file.
    others_gain : numpy.ndarray of float
        The expected gain of each of those who are not worth a call: never above zero.
    usual_value : int
        Customers of the file of whom the value is not known: the model's `profit` stands for it.
    """

    ids: list[str]
    probability: Floats
    value: Floats
    customers: CustomerColumns
    rows: int
    others_gain: Floats
    usual_value: int


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
    """

    candidates: Candidates
    called: NDArray[np.int64]
    expected: Expected
    left_out: dict[str, int]
    below_threshold: int
    curve: GainsCurve

    @property
    def ids(self) -> list[str]:
        """The customers who are called, best first."""
        return [self.candidates.ids[at] for at in self.called.tolist()]

    def total(self, of: Floats) -> float:
        """Return the sum over those who are called."""
        return float(of[self.called].sum())


def find_candidates(
    scorer: Scorer, plan: Plan, terms: Terms, profit: ProfitParams, on_rows: Callable[[int], None] = lambda _rows: None
) -> Candidates:
    """Score a file and keep the customers who are worth a call.

    Parameters
    ----------
    scorer : Scorer
    plan : Plan
        Of the file.
    terms : Terms
    profit : ProfitParams
    on_rows : callable
        Told how many customers were scored, chunk by chunk.

    Returns
    -------
    Candidates

    Raises
    ------
    InputError
        If the file cannot be read, a customer breaks a rule or has no id, or two have the same.
    """
    contract = scorer.model.contract
    with_value = contract.with_value
    reader = replace(scorer, rules=CustomerRules(with_value, request_model(with_value)))
    kept: list[tuple[list[str], Floats, Floats, CustomerColumns]] = []
    others: list[Floats] = [np.zeros(0)]
    # The ids themselves would take a hundred megabytes a million, and their digests take eight.
    digests: list[NDArray[np.int64]] = []
    rows = usual = 0
    with closing(chunks(reader, plan, terms, usable_cores(), 0)) as scored:
        for chunk in scored:
            names = _names(chunk)
            digests.append(np.fromiter(map(hash, names), np.int64, len(names)))
            customers, value, unknown = split_value(chunk.customers, contract, profit)
            if contract.value_column is not None and (empty := np.flatnonzero(without_features(customers))).size:
                raise InputError(f"customer {names[int(empty[0])]!r}: {EMPTY_CUSTOMER}")
            gain = expect(chunk.probabilities, value, profit).gain
            worth = np.flatnonzero(gain > 0)
            some = CustomerColumns({name: values[worth] for name, values in customers.values.items()})
            kept.append(([names[at] for at in worth.tolist()], chunk.probabilities[worth], value[worth], some))
            others.append(gain[gain <= 0])
            rows, usual = rows + len(names), usual + unknown
            on_rows(len(names))
    if not kept:
        raise InputError(f"{plan.source}: holds no customer")
    if _some_twice(digests):
        raise InputError(_TWICE)
    return Candidates(
        ids=[name for names, *_ in kept for name in names],
        probability=np.concatenate([one for _, one, _, _ in kept]),
        value=np.concatenate([one for _, _, one, _ in kept]),
        customers=CustomerColumns({name: np.concatenate([some.values[name] for *_, some in kept]) for name in kept[0][3].values}),
        rows=rows,
        others_gain=np.concatenate(others),
        usual_value=usual,
    )


def _names(chunk: Chunk) -> list[str]:
    """Return the ids of a chunk; InputError if one is missing, or there twice."""
    found = list(repeat(None, len(chunk.numbers))) if chunk.customer_ids is None else chunk.customer_ids.to_pylist()
    names: list[str] = []
    for number, name in zip(chunk.numbers.tolist(), found, strict=True):
        if name is None:
            raise InputError(f"customer {number + 1} of the file has no id: whoever is to be called needs one (customer_id)")
        names.append(str(name))
    if len(set(names)) < len(names):
        twice = next(name for name, number in Counter(names).items() if number > 1)
        raise InputError(f"two customers of the file have the id {twice!r}: whom would a call reach?")
    return names


def _some_twice(digests: list[NDArray[np.int64]]) -> bool:
    """Tell whether an id is there twice: of a million that are not, 64 bits say so once in thirty million files."""
    every = np.concatenate(digests)
    every.sort()
    return bool((every[1:] == every[:-1]).any())


_TWICE = "some id is there twice in the file: whom would a call reach? Keep one row a customer"


def make_campaign_plan(
    candidates: Candidates, model: ScoringModel, profit: ProfitParams, left_out: LeftOut, limit: Limit
) -> CampaignPlan:
    """Choose whom to call.

    Parameters
    ----------
    candidates : Candidates
    model : ScoringModel
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
    expected = expect(candidates.probability, candidates.value, profit)
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
    )


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
        some = plan.called[start : start + LISTED_AT_ONCE]
        customers = CustomerColumns({name: values[some] for name, values in found.customers.values.items()})
        columns = (found.probability[some], found.value[some], plan.expected.gain[some])
        numbers = (column.tolist() for column in columns)
        yield [
            Call.of(found.ids[at], probability, value, gain, why)
            for at, probability, value, gain, why in zip(some.tolist(), *numbers, reasons.of(customers), strict=True)
        ]
        on_rows(len(some))


def call_reasons(scorer: Scorer) -> CallReasons:
    """Return what gives the reasons of a model; none if it is not compiled."""
    model = scorer.model
    if model.compiled is None:
        return CallReasons(None, lambda values: values, model.contract, MAX_REASONS)
    compiled = CompiledModel.from_document(model.compiled)
    values = CompiledScorer(compiled, model.contract).values
    return CallReasons(Explainer.of(compiled, model.contract), values, model.contract, MAX_REASONS)
