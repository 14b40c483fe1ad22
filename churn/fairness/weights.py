"""Reweighing: weights under which the outcome does not depend on the group.

Kamiran and Calders, Data preprocessing techniques for classification without discrimination, Knowledge and Information Systems
33, 2012, doi:10.1007/s10115-011-0463-8.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.config.params import SliceParams
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.slices import slice_by
from churn.fairness.gaps import groups_of

Floats = NDArray[np.float64]


def cells_of(known: Labelled, contract: Contract, params: SliceParams) -> pd.Series:
    """Return the cell that each customer is in: the groups of all sensitive columns, crossed.

    The groups of a column are the scorecard's, small levels pooled. Cells that are too small are pooled again. A customer is in
    no cell if nothing sensitive is known, if the groups of a column leave the customer out, or if even the pooled cell is too
    small; nobody is, if there is one cell only.

    Parameters
    ----------
    known : Labelled
    contract : Contract
    params : SliceParams
        How large a group, or a cell, must be.

    Returns
    -------
    pandas.Series of object, shape (n,)
        Its name, such as "gender=f, age=under 40"; None for who is in no cell.
    """
    cells = np.full(len(known), None, dtype=object)
    if known.sensitive is None:
        return pd.Series(cells)
    rows = np.flatnonzero(known.sensitive.notna().any(axis=1))
    told = known.take(rows)
    groups, _ = groups_of(told, contract, params)
    levels = []
    for column, parts in groups.items():
        level = np.full(len(told), None, dtype=object)
        for part in parts:
            level[part.rows] = f"{column}={part.level}"
        levels.append(level)
    names = pd.Series([None if None in row else ", ".join(row) for row in zip(*levels, strict=True)], dtype="category")
    if groups:
        for part in slice_by(", ".join(groups), names, told, params)[0]:
            cells[rows[part.rows]] = part.level
    return pd.Series(cells)


def reweighed(outcome: np.ndarray, cells: pd.Series) -> Floats:
    """Return P(cell) P(outcome) / P(cell, outcome) of each customer, counted in rows; 1 for who is in no cell.

    With these weights each cell has the churn rate of all customers in cells, and neither the number of customers in a cell nor
    that of churners changes.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    cells : pandas.Series, shape (n,)
        As `cells_of` gives them: each has customers who churned and who stayed.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)

    Examples
    --------
    >>> reweighed(np.array([1, 1, 1, 0, 1, 0, 0, 0]), pd.Series(["f"] * 4 + ["m"] * 4)).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0, 2.0, 0.667, 0.667, 0.667]
    """
    inside = cells.notna().to_numpy()
    weight = np.ones(len(cells))
    y, cell = np.asarray(outcome)[inside], pd.factorize(cells[inside])[0]
    if len(y) == 0:
        return weight
    both = np.zeros((int(cell.max()) + 1, 2))
    np.add.at(both, (cell, y), 1)
    expected = both.sum(axis=1, keepdims=True) * both.sum(axis=0) / both.sum()
    weight[inside] = expected[cell, y] / both[cell, y]
    return weight
