"""Who is who: which customers models learn from, which are reserved to judge them, and in which fold each is.

One rule for labelled files and for traffic: a keyed hash of the customer's id or, where a row names nobody, of its content. A row
is learned from only if its own key is not reserved. A customer judges only if every key under which the customer is known is
reserved: a row without an id is of the customer whose content it has, whatever other rows call that customer. So no row of a
customer who judges was ever learned from, by any model that was split by the same key with the same or a larger share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from churn.config.params import SplitParams
from churn.customers.pseudonym import Pseudonymiser
from churn.modeling.customer_keys import content_bytes, draw, read_keys

NO_PSEUDONYM = Pseudonymiser("")
_NOBODY = -1


@dataclass(frozen=True)
class Source:
    """Rows of one file, or of the traffic.

    Attributes
    ----------
    features : pandas.DataFrame, shape (n, n_features)
    customer_id : pandas.Series of str (None where nobody is named), shape (n,), or None
    """

    features: pd.DataFrame
    customer_id: pd.Series | None


@dataclass(frozen=True)
class Assignment:
    """Who is who among the rows of a source.

    Attributes
    ----------
    learns : array of bool, shape (n,)
        Whether models may learn from the row.
    judges : array of bool, shape (n,)
        Whether the row is of a customer of whom models learn from no row. Neither of both is a reserved row of a customer who
        was learned from under another key.
    customer : array of int64, shape (n,)
        The same number, the same customer, in all sources that were assigned at once.
    fold : array of float64 in [0, 1), shape (n,)
        The customer's place among the folds.
    """

    learns: NDArray[np.bool_]
    judges: NDArray[np.bool_]
    customer: NDArray[np.int64]
    fold: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.customer)

    @property
    def left_out(self) -> set[int]:
        """The reserved customers who do not judge, since they were learned from under another key."""
        return set(self.customer[~self.learns & ~self.judges].tolist())


def assign(sources: Sequence[Source], params: SplitParams, pseudonym: Pseudonymiser = NO_PSEUDONYM) -> list[Assignment]:
    """Decide who is who.

    Parameters
    ----------
    sources : sequence of Source
        With the same features.
    params : SplitParams
    pseudonym : Pseudonymiser
        That of the store, whose ids may be pseudonyms.

    Returns
    -------
    list of Assignment
        One for each source.
    """
    ids = [_ids(source, pseudonym) for source in sources]
    names, known = pd.factorize(pd.concat(ids, ignore_index=True), use_na_sentinel=True)
    starts = np.cumsum([0, *(len(one) for one in ids)])
    parts = [names[start:end] for start, end in pairwise(starts)]
    contents = _contents(sources, parts)
    codes, distinct = pd.factorize(pd.Series(contents, dtype=object), use_na_sentinel=True)

    # Keys: the ids, then the contents. A row is under its id, its content, or both.
    people = len(known)
    own = np.where(names == _NOBODY, people + codes, names).astype(np.int64)
    side, fold = draw(params.key, [*(b"id\x1f" + text.encode("utf-8", "surrogatepass") for text in known), *distinct])
    customer = _joined(len(side), own, people + codes, codes != _NOBODY)
    reserved = side < params.reserved
    whole = np.ones(customer.max(initial=-1) + 1, dtype=np.bool_)
    whole[customer[~reserved]] = False
    # Of several keys that with the lowest side places the customer, whichever came first: its fold is as uniform as any.
    place, order = np.zeros(len(whole)), np.argsort(-side, kind="stable")
    place[customer[order]] = fold[order]
    return [
        Assignment(~reserved[rows], whole[customer[rows]], customer[rows], place[customer[rows]])
        for rows in (own[start:end] for start, end in pairwise(starts))
    ]


def mostly_named(source: Source) -> bool:
    """Tell whether at least half of the rows have an id: then ids, rather than contents, decide who of them is reserved."""
    return source.customer_id is not None and 2 * int(source.customer_id.notna().sum()) >= len(source.features)


def _ids(source: Source, pseudonym: Pseudonymiser) -> pd.Series:
    if source.customer_id is None:
        return pd.Series([None] * len(source.features), dtype=object)
    return read_keys(source.customer_id.reset_index(drop=True), pseudonym)


def _contents(sources: Sequence[Source], names: Sequence[NDArray[np.int64]]) -> list[bytes | None]:
    """Return the contents of all rows that a content may tell something about; None where the id says all there is to say."""
    nameless = any((part == _NOBODY).any() for part in names)
    strangers = _strangers(names)
    if not nameless and not strangers:
        return [None] * sum(map(len, names))
    rows = [content for source in sources for content in content_bytes(source.features)]
    told = pd.Series(rows, dtype=object)
    named = np.concatenate(names) != _NOBODY
    # Two customers with ids are two, however alike. Only who has none is recognized by content.
    tells = told.isin(told[~named]).to_numpy()
    if strangers:
        tells |= _shared_by_two_strangers(told, names)
    return [content if tell else None for content, tell in zip(rows, tells, strict=True)]


def _strangers(names: Sequence[NDArray[np.int64]]) -> bool:
    """Tell whether two sources both have ids, and not one in common: then their ids are of two kinds, and tell nothing."""
    kinds = [set(np.unique(part[part != _NOBODY]).tolist()) for part in names]
    kinds = [kind for kind in kinds if kind]
    return len(kinds) > 1 and not set.intersection(*kinds)


def _shared_by_two_strangers(told: pd.Series, names: Sequence[NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Tell which contents one id of each source has. Where two ids of one source share it, it is no sign of anybody."""
    frame = pd.DataFrame({"content": told, "id": np.concatenate(names)})
    frame["source"] = np.repeat(np.arange(len(names)), [len(part) for part in names])
    frame = frame[frame["id"] != _NOBODY].drop_duplicates()
    counts = frame.groupby(["content", "source"])["id"].nunique().groupby("content").agg(["size", "max"])
    signs = counts.index[(counts["size"] > 1) & (counts["max"] == 1)]
    return np.asarray(told.isin(signs), dtype=np.bool_)


def _joined(keys: int, own: NDArray[np.int64], content: NDArray[np.int64], both: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number the customers: keys that one row has are of one, and so is whatever they have in common (connected components)."""
    edges = (np.ones(int(both.sum()), dtype=np.bool_), (own[both], content[both]))
    _, customer = connected_components(coo_array(edges, shape=(keys, keys)), directed=False)
    return np.asarray(customer, dtype=np.int64)
