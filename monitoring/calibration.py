"""How large the largest of many differences gets where nothing has changed: bootstrap of the reference, at the window's size.

All tests of numbers (and all of dependence) are differences of means, and many are correlated: minutes and charges say the same.
Drawing both sides again from the reference gives the distribution of their maximum, with whatever correlation and skewness there
is (Westfall and Young 1993, Resampling-Based Multiple Testing). Weights are Poisson's instead of the multinomial's (Chamandy et
al. 2012, Estimating uncertainty for massive data streams): the same to first order, and one matrix product for all tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

DRAWS, BLOCK = 4_000, 250
# With more rows than these on a side the means are as good as normal: what is drawn from fewer has the heavier tails. With
# more on both they are drawn as normal.
MOST_REFERENCE_ROWS, MOST_WINDOW_ROWS = 4_000, 20_000
STEPS = 2**16
# So many draws must lie beyond a value for its probability to be counted; further out the normal tail goes on from there.
COUNTED = 16


@dataclass(frozen=True)
class MaxDistribution:
    """The null distribution of the largest |z| of a family of tests.

    Attributes
    ----------
    maxima : ndarray, shape (n_draws,)
        Ascending.
    effective_tests : float
        How many independent normal tests have the same upper tail.
    """

    maxima: NDArray[np.float64]
    effective_tests: float

    @classmethod
    def of(cls, maxima: NDArray[np.float64]) -> MaxDistribution:
        """Order the draws and fit the tail."""
        ordered = np.sort(maxima)
        edge = float(ordered[-COUNTED]) if ordered.size >= COUNTED else float(ordered[-1])
        share = min(COUNTED, ordered.size) / ordered.size
        return cls(ordered, max(1.0, share / max(2 * float(stats.norm.sf(edge)), 1e-300)))

    def p_value(self, z: float) -> float:
        """Give the probability that the largest |z| of the family is `z` or more although nothing changed."""
        beyond = self.maxima.size - int(np.searchsorted(self.maxima, z))
        if beyond >= COUNTED:
            return (beyond + 1) / (self.maxima.size + 1)
        return float(min(1.0, self.effective_tests * 2 * stats.norm.sf(z), (COUNTED + 1) / (self.maxima.size + 1)))

    def quantile(self, alpha: float) -> float:
        """Give the |z| that is reached with probability `alpha`: the threshold of every test in the family."""
        inside = self.maxima.size - int(alpha * (self.maxima.size + 1))
        if self.maxima.size - inside >= COUNTED:
            return float(self.maxima[inside])
        return float(stats.norm.isf(min(1.0, alpha / self.effective_tests) / 2))


def draw_maxima(families: list[NDArray[np.float32]], rows: int, reference_rows: int, seed: int) -> list[MaxDistribution]:
    """Draw reference and window anew, again and again, and keep the largest |z| of each family.

    Parameters
    ----------
    families : list of ndarray, shape (n, n_tests) each
        The scores of the reference's rows (or of a sample of them), with mean 0 and standard deviation 1 in every column.
    rows, reference_rows : int
        Sizes of the window and of the whole reference.
    """
    rng = np.random.default_rng(seed)
    if min(rows, reference_rows) >= MOST_WINDOW_ROWS:
        return [MaxDistribution.of(_normal_maxima(rng, scores)) for scores in families]
    draw = _contrasts(rng, families[0].shape[0], min(rows, MOST_WINDOW_ROWS), min(reference_rows, MOST_WINDOW_ROWS))
    found: list[list[NDArray[np.float32]]] = [[] for _ in families]
    for _ in range(DRAWS // BLOCK):
        weights = draw()
        for kept, scores in zip(found, families, strict=True):
            kept.append(np.abs(weights @ scores).max(axis=1))
    return [MaxDistribution.of(np.concatenate(kept).astype(np.float64)) for kept in found]


def _normal_maxima(rng: np.random.Generator, scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Draw the largest of |z| that are normal, and correlated as the scores are."""
    root = np.asarray(np.linalg.qr(scores, mode="r")) / np.float32(np.sqrt(scores.shape[0]))
    drawn = rng.standard_normal((DRAWS, root.shape[0]), dtype=np.float32)
    return np.asarray(np.abs(drawn @ root).max(axis=1), dtype=np.float64)


def _contrasts(rng: np.random.Generator, count: int, rows: int, reference_rows: int) -> Callable[[], NDArray[np.float32]]:
    """Make what draws weights of `count` rows, shape (BLOCK, count): with scores they give z values of window minus reference."""
    scale = np.float32(1 / np.sqrt(1 / rows + 1 / reference_rows))
    # Quantiles at equal steps, picked at random: ten times as fast as drawing from the distribution itself.
    places = (np.arange(STEPS) + 0.5) / STEPS
    steps = [stats.poisson.ppf(places, size / count).astype(np.float32) for size in (rows, reference_rows)]

    def draw() -> NDArray[np.float32]:
        sides = [quantiles[rng.integers(0, STEPS, (BLOCK, count), dtype=np.uint16)] for quantiles in steps]
        current, reference = (side / np.maximum(side.sum(axis=1, keepdims=True), 1) for side in sides)
        return np.asarray((current - reference) * scale)

    return draw
