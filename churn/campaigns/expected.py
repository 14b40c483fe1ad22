"""What a call to a customer is expected to bring: the same costs as the decision threshold's, with each customer's own value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn.config.params import ProfitParams
from churn.contract import Contract
from churn.customers.columns import CustomerColumns
from churn.evaluation.profit import profit_of_churner, profit_of_stayer

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Expected:
    """What calls are expected to bring, an entry a customer.

    Attributes
    ----------
    saved : numpy.ndarray of float, shape (n,)
        Customers who stay and would have left: the probability times the acceptance.
    cost : numpy.ndarray of float, shape (n,)
        Of the call, and of the offer to whoever takes it: who accepts, and who would have stayed anyway.
    gain : numpy.ndarray of float, shape (n,)
        The value of those saved less the cost.
    """

    saved: Floats
    cost: Floats
    gain: Floats


def expect(probability: Floats, value: Floats, profit: ProfitParams) -> Expected:
    """Return what calls are expected to bring.

    Parameters
    ----------
    probability : numpy.ndarray of float in [0, 1], shape (n,)
        Of leaving.
    value : numpy.ndarray of float, shape (n,)
        Of each customer who stays, in `profit.currency`.
    profit : ProfitParams

    Returns
    -------
    Expected

    Examples
    --------
    >>> found = expect(np.array([0.5]), np.array([200.0]), ProfitParams())
    >>> [round(float(one[0]), 6) for one in (found.saved, found.cost, found.gain)]
    [0.15, 7.5, 22.5]
    """
    saved = probability * profit.acceptance
    # Of a customer of the usual value, and what this one is worth beyond it.
    usual = probability * profit_of_churner(profit) + (1 - probability) * profit_of_stayer(profit)
    gain = usual + saved * (value - profit.customer_value)
    return Expected(saved, saved * value - gain, gain)


def split_value(customers: CustomerColumns, contract: Contract, profit: ProfitParams) -> tuple[CustomerColumns, Floats, int]:
    """Take what customers are worth out of what models and logs read.

    Parameters
    ----------
    customers : CustomerColumns
        Read by `Contract.with_value`.
    contract : Contract
        The contract itself.
    profit : ProfitParams
        What a customer is worth of whom nothing else is known.

    Returns
    -------
    customers : CustomerColumns
        With the features alone.
    value : numpy.ndarray of float, shape (n,)
    usual : int
        Of how many the usual value was taken.
    """
    column = contract.value_column
    if column is None or column.name not in customers.values:
        return customers, np.full(len(customers), float(profit.customer_value)), len(customers)
    features = {name: values for name, values in customers.values.items() if name != column.name}
    known = customers.values[column.name]
    missing = np.isnan(known)
    value = np.where(missing, profit.customer_value, known)
    return CustomerColumns(features, customers.customer_ids), value, int(np.count_nonzero(missing))


def without_features(customers: CustomerColumns) -> NDArray[np.bool_]:
    """Return who has no feature at all, and is no customer: where a value is read, it alone would pass for one."""
    empty = np.ones(len(customers), dtype=np.bool_)
    for values in customers.values.values():
        empty &= np.isnan(values) if values.dtype.kind == "f" else values < 0
    return empty
