"""Many validated customers at once, a column each feature: what batches are made of, whatever format they came in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from churn.contract import Column, Contract
from churn.customers.json_rows import customer_texts

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CustomerColumns:
    """Customers that keep the contract.

    Attributes
    ----------
    values : dict of str to array of shape (n,)
        One a feature, in the contract's order. Numbers and flags: float64, NaN where missing. Categories: integers, the place of
        the level in the contract's list, -1 where missing.
    customer_ids : sequence of (str or None), or None
        None: nobody was named.
    """

    values: dict[str, NDArray[Any]]
    customer_ids: Sequence[str | None] | None = None

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the customers of all parts, one after another; in a part without ids nobody is named.

        Parameters
        ----------
        parts : sequence of CustomerColumns
            At least one, all of the same features.
        """
        if len(parts) == 1:
            return parts[0]
        values = {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values}
        if all(part.customer_ids is None for part in parts):
            return cls(values)
        ids: list[str | None] = []
        for part in parts:
            ids += [None] * len(part) if part.customer_ids is None else part.customer_ids
        return cls(values, ids)

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def feature_texts(self, contract: Contract, start: int = 0, end: int | None = None) -> list[str]:
        """Return customers' features as the log keeps them: a JSON object, one a row.

        Parameters
        ----------
        contract : Contract
        start, end : int, optional
            Of which customers; by default of all.

        Returns
        -------
        list of str
        """
        return customer_texts({name: values[start:end] for name, values in self.values.items()}, contract)

    def plain_values(self, names: Sequence[str], contract: Contract) -> list[list[Any]]:
        """Give columns as a request has them: numbers, booleans, texts, and None where a value is missing.

        Parameters
        ----------
        names : sequence of str
            Of which features.
        contract : Contract

        Returns
        -------
        list of list
        """
        return [_plain_values(self.values[name], contract[name]) for name in names]

    def frame(self, contract: Contract) -> pd.DataFrame:
        """Give them as the frame that pipelines read (`churn.customers.frame`)."""
        import pandas as pd

        frame: dict[str, Any] = {}
        for name, values in self.values.items():
            column = contract[name]
            frame[name] = values if column.is_numeric else pd.Series(_plain_values(values, column), dtype=object)
        return pd.DataFrame(frame)


def _plain_values(values: NDArray[Any], column: Column) -> list[Any]:
    if column.kind == "category":
        # Code -1, the last of the list, is what is missing.
        levels: list[Any] = np.array([*column.levels, None], dtype=object)[values].tolist()
        return levels
    plain: list[Any] = values.tolist() if column.kind != "flag" else (values == 1).tolist()
    missing = np.isnan(values)
    if missing.any():
        for row in np.flatnonzero(missing).tolist():
            plain[row] = None
    return plain
