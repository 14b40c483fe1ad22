"""Each customer once: of a window in which customers come again and again, the newest prediction of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def newest_per_customer(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the newest prediction of each customer, in the order of `seq`, whatever the order was.

    Parameters
    ----------
    rows : pandas.DataFrame, shape (n, m)
        Columns seq and customer_id. Rows without an id stand for themselves.

    Returns
    -------
    pandas.DataFrame, shape (n_customers, m)
        The same frame if nobody comes twice and it is in order.

    Examples
    --------
    >>> import pandas as pd
    >>> newest_per_customer(pd.DataFrame({"seq": [3, 1, 2, 4], "customer_id": ["a", "a", None, None]}))["seq"].tolist()
    [2, 3, 4]
    """
    if not rows["seq"].is_monotonic_increasing:
        rows = rows.sort_values("seq", kind="stable").reset_index(drop=True)
    named = rows["customer_id"].notna()
    again = named & rows["customer_id"].duplicated(keep="last")
    return rows[~again].reset_index(drop=True) if again.any() else rows


def iter_newest_per_customer(parts: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yield the newest prediction of each customer of a window that does not fit into memory.

    Of customers who went by only a hash of 8 bytes is kept: among a million, two share one in 1 of 37 million windows.

    Parameters
    ----------
    parts : iterable of DataFrame
        As for `newest_per_customer`, the newest predictions first.

    Yields
    ------
    pandas.DataFrame
        Of each part the rows of customers that no part before had.
    """
    import pandas as pd

    seen = np.zeros(0, dtype=np.uint64)
    for part in parts:
        rows = newest_per_customer(part)
        named = rows["customer_id"].notna().to_numpy()
        if not named.any():
            yield rows
            continue
        hashes = pd.util.hash_array(rows["customer_id"].to_numpy(dtype=object)[named].astype(str).astype(object))
        place = np.searchsorted(seen, hashes)
        known = seen[np.minimum(place, seen.size - 1)] == hashes if seen.size else np.zeros(hashes.size, dtype=bool)
        kept = ~named
        kept[named] = ~known
        new = np.sort(hashes[~known])
        seen = np.insert(seen, np.searchsorted(seen, new), new)
        yield rows[kept].reset_index(drop=True)
