"""What tells customers apart, and the keyed hash that decides for ever on which side each is.

A customer's key is the id or, where there is none, the content of the row. Two numbers in [0, 1) are drawn from a keyed hash of
it: one says whether the customer is reserved, the other in which fold the customer is. They depend on nothing but the key of the
hash and the customer's own: not on the order of rows, on who else is there, on the month, or on a seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.customers.customer_id import read_ids
from churn.customers.pseudonym import Pseudonymiser

Draws = NDArray[np.float64]
_DIGEST_BYTES = 16
# The same of every not-a-number, and one zero.
_NAN = np.float32(np.nan)


def rule_digest(key: str, pseudonym: Pseudonymiser, content: Sequence[str]) -> str:
    """Return what names a rule without telling its keys, so that two models can be known to have been split by the same.

    Parameters
    ----------
    key : str
        `split.key` of params.yaml.
    pseudonym : Pseudonymiser
        With another key of it, the store's ids are others.
    content : sequence of str
        The columns whose content stands for customers without ids; none if customers have ids.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    parts = "\x1f".join([key, pseudonym("split"), *sorted(content)])
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read_keys(ids: pd.Series, pseudonym: Pseudonymiser) -> pd.Series:
    """Bring customers' ids to one spelling: 7, "7", " 7 " and 7.0 are one customer, plain or under a pseudonym.

    Parameters
    ----------
    ids : pandas.Series, shape (n,)
        As a file or the store has them.
    pseudonym : Pseudonymiser
        That of the store. An id that is a pseudonym already stays as it is, such as those of an exported file.

    Returns
    -------
    pandas.Series of str, shape (n,)
        None where nobody is named.
    """
    known, _ = read_ids([None if missing else one for one, missing in zip(ids.tolist(), ids.isna(), strict=True)])
    if pseudonym.key:
        known = [one if one is None or pseudonym.made(one) else pseudonym(one) for one in known]
    return pd.Series(known, index=ids.index, dtype=object)


def content_bytes(features: pd.DataFrame) -> list[bytes]:
    """Return each row's content in one canonical form, whichever file, request or order of columns it came in.

    Numbers count in single precision: a file of 32-bit floats says the same of a customer as a request does in decimal digits.

    Parameters
    ----------
    features : pandas.DataFrame, shape (n, n_features)
        As in `churn.customers.frame`: numbers, flags as 0 or 1, and texts.

    Returns
    -------
    list of bytes, length n

    Examples
    --------
    >>> once = pd.DataFrame({"minutes": [1.0, np.nan], "state": ["KS", None]})
    >>> again = pd.DataFrame({"state": ["KS", None], "minutes": np.array([1, np.nan], np.float32)})
    >>> content_bytes(once) == content_bytes(again)
    True
    """
    names = sorted(map(str, features.columns))
    columns = [_column_bytes(features[name]) for name in names]
    table = np.ascontiguousarray(np.column_stack(columns)) if columns else np.empty((len(features), 0), np.uint8)
    width, whole = table.shape[1], table.tobytes()
    head = hashlib.blake2b("\x1f".join(names).encode(), digest_size=8).digest()
    return [head + whole[start : start + width] for start in range(0, width * len(features), width)]


def _column_bytes(values: pd.Series) -> NDArray[np.uint8]:
    if pd.api.types.is_numeric_dtype(values.dtype):
        with np.errstate(over="ignore"):
            numbers = values.to_numpy(dtype=np.float64, na_value=np.nan).astype(np.float32)
        numbers = np.where(np.isnan(numbers), _NAN, numbers + np.float32(0))
        return numbers.astype("<f4").view(np.uint8).reshape(len(values), 4)
    codes, levels = pd.factorize(values)
    known = [hashlib.blake2b(str(level).encode("utf-8", "surrogatepass"), digest_size=8).digest() for level in levels]
    # Code -1 is the last: a missing text.
    table = np.frombuffer(b"".join([*known, bytes(8)]), dtype=np.uint8).reshape(-1, 8)
    return table[codes]


def draw(key: str, customers: Iterable[bytes]) -> tuple[Draws, Draws]:
    """Draw two independent numbers for each customer: from one keyed hash of 128 bits (BLAKE2b, RFC 7693), half of it each.

    Parameters
    ----------
    key : str
        `split.key` of params.yaml.
    customers : iterable of bytes, length n
        Keys of customers.

    Returns
    -------
    side, fold : array of float64, shape (n,)
        Uniform in [0, 1).

    Examples
    --------
    >>> side, fold = draw("a key", [b"customer-1", b"customer-2", b"customer-1"])
    >>> side.round(3).tolist(), fold.round(3).tolist()
    ([0.102, 0.554, 0.102], [0.737, 0.718, 0.737])
    """
    keyed = hashlib.blake2b(key=hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest(), digest_size=_DIGEST_BYTES)

    def digest(customer: bytes) -> bytes:
        state = keyed.copy()
        state.update(customer)
        return state.digest()

    drawn = np.frombuffer(b"".join(map(digest, customers)), dtype="<u8").reshape(-1, 2)
    # 53 bits are what a float holds exactly, so that none is rounded up to 1.
    uniform = (drawn >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform[:, 0], uniform[:, 1]
