"""The customers of a file who are worth a call: scored, valued, each with an id of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from churn.batch.log_rows import Chunk, chunks
from churn.batch.model import Scorer
from churn.batch.plan import Plan, Terms
from churn.batch.run import usable_cores
from churn.campaigns.expected import Floats, expect, split_value, without_features
from churn.config.params import ProfitParams
from churn.customers.columns import CustomerColumns
from churn.customers.customer import EMPTY_CUSTOMER, request_model
from churn.customers.validation import CustomerRules
from churn.errors import InputError


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
