"""Customers as the log keeps them: a JSON object each, made a column at a time.

A dict a customer and its JSON take 2 µs each. Here every column is turned into its pieces of text (`,"calls":3.0`) at once,
mostly by looking them up, and the pieces of a customer are joined: half the time, for the same text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from churn.contract import Column, Contract

# Of whole numbers up to a share of the rows each text is made once, and looked up.
ROWS_PER_TEXT = 4


def customer_texts(values: Mapping[str, NDArray[Any]], contract: Contract) -> list[str]:
    """Return customers as JSON objects, one text a row.

    Parameters
    ----------
    values : mapping of str to array, each of shape (n,)
        As in `churn.customers.columns.CustomerColumns`.
    contract : Contract

    Returns
    -------
    list of str, length n

    Examples
    --------
    >>> columns = (Column(name="plan", source="Plan", kind="flag"), Column(name="paid", source="Paid", kind="number"))
    >>> contract = Contract(name="doctest", columns=columns)
    >>> customer_texts({"plan": np.array([1.0, np.nan]), "paid": np.array([2.5, np.nan])}, contract)
    ['{"plan":true,"paid":2.5}', '{"plan":null,"paid":null}']
    """
    pieces: list[list[str]] = []
    last = len(values) - 1
    for place, (name, column) in enumerate(values.items()):
        before = f'{"," if place else "{"}"{name}":'  # (a name in a contract needs no escaping)
        pieces.append(_pieces(column, contract[name], before, "}" if place == last else ""))
    return list(map("".join, zip(*pieces, strict=True)))


def _pieces(values: NDArray[Any], column: Column, before: str, after: str) -> list[str]:
    match column.kind:
        case "category":
            # Code -1, the last of the list, is what is missing.
            return _looked_up(values, [*column.levels, None], before, after)
        case "flag":
            return _looked_up(np.where(np.isnan(values), -1, values).astype(np.intp), [False, True, None], before, after)
    if len(values) and (most := np.fmax.reduce(values)) < len(values) // ROWS_PER_TEXT and np.fmin.reduce(values) >= 0:
        places = np.where(np.isnan(values), -1, values).astype(np.intp)
        if column.kind == "integer" and bool(((places == values) | (places < 0)).all()):
            return _looked_up(places, [*map(float, range(int(most) + 1)), None], before, after)
    # NaN becomes null.
    text = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode()
    between = f"{after}\n{before}"
    return f"{before}{text.replace(',', between)}{after}".split("\n") if text else []


def _looked_up(places: NDArray[Any], spelled: list[Any], before: str, after: str) -> list[str]:
    texts = np.array([f"{before}{orjson.dumps(value).decode()}{after}" for value in spelled], dtype=object)
    found: list[str] = texts[places].tolist()
    return found
