"""Slices of a model's customers: fixed on its reference, by the evaluation's one definition, and found again in any frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from churn.config.params import SliceParams
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.slice_levels import MISSING, sliced_levels
from churn.evaluation.slices import find_slices, slice_by
from churn.explain.frames import column_values
from churn.explain.segmenter import Segmenter
from churn.segments.segments import SLICE

if TYPE_CHECKING:
    import pandas as pd

OUTCOME = "churned"
# Each takes some 50 µs.
MAX_SEGMENTED = 2_000
Members = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SliceRule:
    """Who is in a slice.

    Attributes
    ----------
    column, level : str
        As in `churn.evaluation.slices.Slice`; of segments the column is "customer segment".
    members : tuple of str
        The levels that it holds: several where small ones are pooled.
    """

    column: str
    level: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Slicing:
    """The slices of one reference.

    Attributes
    ----------
    contract : Contract
        The description of a customer.
    params : SliceParams
        Bands, and how large a slice must be.
    rules : tuple of SliceRule
        One a slice. A customer may be in several, and in none.
    """

    contract: Contract
    params: SliceParams
    rules: tuple[SliceRule, ...] = ()

    @classmethod
    def of(cls, reference: pd.DataFrame, contract: Contract, params: SliceParams) -> Slicing:
        """Find the slices of a reference that are large enough, with enough customers of each outcome.

        Parameters
        ----------
        reference : pandas.DataFrame
            The contract's features (columns may be absent), churned, and the column of segments where they are known.
        contract : Contract
            The description of a customer.
        params : SliceParams
            Bands, and how large a slice must be.

        Returns
        -------
        Slicing
            Without slices where no outcomes are known.
        """
        if OUTCOME not in reference or not reference[OUTCOME].notna().any():
            return cls(contract, params)
        rows = reference[reference[OUTCOME].notna()].reset_index(drop=True)
        known = Labelled(rows, rows[OUTCOME].astype("int64"))
        found, _ = find_slices(known, contract, params)
        if SLICE in rows:
            found += slice_by(SLICE, rows[SLICE].astype("category"), known, params)[0]
        return cls(contract, params, tuple(SliceRule(one.column, one.level, one.members) for one in found))

    def members_of(self, frame: pd.DataFrame) -> Members:
        """Return who is in which slice.

        Parameters
        ----------
        frame : pandas.DataFrame, shape (n, m)
            The contract's features, and the column of segments where they are known; of absent columns nobody is in a slice.

        Returns
        -------
        ndarray of bool, shape (n, n_slices)
            In the order of the rules.
        """
        import pandas as pd

        levels = dict(sliced_levels(frame, None, self.contract, self.params)) if self.rules else {}
        if SLICE in frame:
            levels[SLICE] = frame[SLICE].astype("category")
        found = np.zeros((len(frame), len(self.rules)), dtype=np.bool_)
        for place, rule in enumerate(self.rules):
            if rule.column in levels:
                of_column = levels[rule.column].cat
                codes = of_column.categories.astype(str).get_indexer(pd.Index(rule.members))
                found[:, place] = np.isin(of_column.codes.to_numpy(), codes[codes >= 0])
        return found


def segment_shares(frame: pd.DataFrame, segmenter: Segmenter | None) -> dict[str, float]:
    """Return how large each segment is among customers, of more than `MAX_SEGMENTED` among so many, evenly spread.

    Parameters
    ----------
    frame : pandas.DataFrame, shape (n, m)
        With the columns that the model reads.
    segmenter : Segmenter or None
        Of the model.

    Returns
    -------
    dict of str to float
        Name to share; segments of nobody are there with 0. Empty without segments or customers.
    """
    if segmenter is None or frame.empty:
        return {}
    some = frame.iloc[:: -(-len(frame) // MAX_SEGMENTED)]
    shares = add_segments(some, segmenter)[SLICE].value_counts(normalize=True)
    return {name: float(shares[name]) for name in segmenter.names}


def describe_slice(column: str, level: str) -> str:
    """Say who is in a slice.

    Parameters
    ----------
    column, level : str
        As in `SliceRule`.

    Returns
    -------
    str
        "customers with …", or of a segment.

    Examples
    --------
    >>> describe_slice("international_plan", "Yes"), describe_slice("account_length", "missing")
    ('customers with international plan Yes', 'customers with account length missing')
    >>> describe_slice("customer segment", "high day charge")
    'customers of the segment "high day charge"'
    """
    if column == SLICE:
        return f'customers of the segment "{level}"' if level != MISSING else "customers without a segment"
    return f"customers with {column.replace('_', ' ')} {level}"


def add_segments(frame: pd.DataFrame, segmenter: Segmenter | None) -> pd.DataFrame:
    """Return customers with the column of their segments; as they are where the model has none to tell apart.

    Parameters
    ----------
    frame : pandas.DataFrame, shape (n, m)
        With the columns that the model reads.
    segmenter : Segmenter or None
        Of the model.

    Returns
    -------
    pandas.DataFrame, shape (n, m) or (n, m + 1)
    """
    import pandas as pd

    if segmenter is None:
        return frame
    numbers = segmenter.numbers(column_values(frame[segmenter.segments.columns]))
    return frame.assign(**{SLICE: pd.Categorical.from_codes(numbers.tolist(), categories=pd.Index(segmenter.names))})
