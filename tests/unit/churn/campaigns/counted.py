"""Customers counted by their scores, as `estimate_effect` takes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from churn.campaigns.effect import SCORE_STEPS


def by_score(
    churned: NDArray[np.bool_], held_out: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    steps, at = np.unique(np.rint(SCORE_STEPS * score), return_inverse=True)
    everybody = np.ones(len(score), dtype=np.bool_)
    customers, left = (
        np.array([np.bincount(at[side & of], minlength=len(steps)) for side in (~held_out, held_out)])
        for of in (everybody, churned)
    )
    return customers, left
