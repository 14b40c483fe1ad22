"""How large the largest of many differences gets where nothing has changed: bootstrap of the reference, at the window's size.

All tests of numbers (and all of dependence) are differences of means, and many are correlated: minutes and charges, for example.
Drawing both sides again from the reference gives the distribution of their maximum, with whatever correlation and skewness there
is (Westfall and Young 1993, Resampling-Based Multiple Testing). Weights are Poisson's instead of the multinomial's (Chamandy et
al. 2012, Estimating uncertainty for massive data streams): the same to first order, and one matrix product for all tests.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

DRAWS, BLOCK = 4_000, 250
# With more rows than these on a side the means are as good as normal: what is drawn from fewer has the heavier tails. With
# more on both they are drawn as normal.
MAX_REFERENCE_ROWS, MAX_WINDOW_ROWS = 4_000, 20_000
STEPS = 2**16
THREADS = os.cpu_count() or 1
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
        from scipy import stats

        ordered = np.sort(maxima)
        edge = float(ordered[-COUNTED]) if ordered.size >= COUNTED else float(ordered[-1])
        share = min(COUNTED, ordered.size) / ordered.size
        return cls(ordered, max(1.0, share / max(2 * float(stats.norm.sf(edge)), 1e-300)))

    def p_value(self, z: float) -> float:
        """Return the probability that the largest |z| of the family is `z` or more although nothing changed."""
        from scipy import stats

        beyond = self.maxima.size - int(np.searchsorted(self.maxima, z))
        if beyond >= COUNTED:
            return (beyond + 1) / (self.maxima.size + 1)
        return float(min(1.0, self.effective_tests * 2 * stats.norm.sf(z), (COUNTED + 1) / (self.maxima.size + 1)))

    def quantile(self, alpha: float) -> float:
        """Return the |z| that is reached with probability `alpha`: the threshold of every test in the family."""
        from scipy import stats

        inside = self.maxima.size - int(alpha * (self.maxima.size + 1))
        if self.maxima.size - inside >= COUNTED:
            return float(self.maxima[inside])
        return float(stats.norm.isf(min(1.0, alpha / self.effective_tests) / 2))


def draw_maxima(families: list[NDArray[np.float32]], rows: int, reference_rows: int, seed: int) -> list[MaxDistribution]:
    """Draw reference and window anew, again and again, and keep the largest |z| of each family.

    The draws come in blocks, each with a seed of its own: whoever draws a block, in whatever order, draws the same numbers to the
    last bit. joblib spreads them: over threads here, or wherever `joblib.parallel_config` of the caller points to (a cluster).

    Parameters
    ----------
    families : list of ndarray, shape (n, n_tests) each
        The scores of the reference's rows (or of a sample of them), with mean 0 and standard deviation 1 in every column.
    rows, reference_rows : int
        Sizes of the window and of the whole reference.
    seed : int
        Of the draws.

    Returns
    -------
    list of MaxDistribution
        One for each family; the same for the same input.
    """
    if min(rows, reference_rows) >= MAX_WINDOW_ROWS:
        # Only the scores' correlations matter: a small root of them is what is sent around.
        factors, sizes = [_root(scores) for scores in families], None
    else:
        factors, sizes = families, (min(rows, MAX_WINDOW_ROWS), min(reference_rows, MAX_WINDOW_ROWS))
    seeds = np.random.SeedSequence(seed).spawn(DRAWS // BLOCK)
    # Each block has a processor; linear algebra that takes all of them for itself would only be in the others' way.
    with _thread_pools().limit(limits=1):
        blocks = Parallel(n_jobs=THREADS, prefer="threads")(delayed(_draw_block)(factors, sizes, one) for one in seeds)
    return [MaxDistribution.of(np.concatenate(maxima).astype(np.float64)) for maxima in zip(*blocks, strict=True)]


def _root(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.linalg.qr(scores, mode="r"), dtype=np.float32) / np.float32(np.sqrt(scores.shape[0]))


def _draw_block(
    factors: list[NDArray[np.float32]], sizes: tuple[int, int] | None, seed: np.random.SeedSequence
) -> list[NDArray[np.float32]]:
    """Draw BLOCK times: the largest |z| of each family, shape (BLOCK,) each. Without `sizes` z values are normal."""
    rng = np.random.default_rng(seed)
    if sizes is None:
        drawn = [rng.standard_normal((BLOCK, root.shape[0]), dtype=np.float32) for root in factors]
    else:
        drawn = [_contrasts(rng, factors[0].shape[0], *sizes)] * len(factors)
    return [np.abs(weights @ factor).max(axis=1) for weights, factor in zip(drawn, factors, strict=True)]


def _contrasts(rng: np.random.Generator, count: int, rows: int, reference_rows: int) -> NDArray[np.float32]:
    """Draw weights of `count` rows, shape (BLOCK, count): with scores they give z values of window minus reference."""
    scale = np.float32(1 / np.sqrt(1 / rows + 1 / reference_rows))
    current, reference = (
        _poisson(size / count).take(rng.integers(0, STEPS, (BLOCK, count), dtype=np.uint16)) for size in (rows, reference_rows)
    )
    # In place: half the time goes into new arrays.
    for side in (current, reference):
        np.divide(side, np.maximum(side.sum(axis=1, keepdims=True), 1), out=side)
    current -= reference
    current *= scale
    return current


@cache
def _thread_pools() -> ThreadpoolController:
    """Find the process's libraries for linear algebra, which takes milliseconds: NumPy's has been there since its import."""
    return ThreadpoolController()


@lru_cache(maxsize=4)
def _poisson(mean: float) -> NDArray[np.float32]:
    """Return quantiles at equal steps: picked at random, they are ten times as fast as drawing from the distribution itself."""
    from scipy import stats

    # No quantile here is as far out as eight standard deviations and twenty; each count stands as often as steps fall to it,
    # which is what `stats.poisson.ppf` says in five hundred times the time.
    counts = np.arange(int(mean + 8 * np.sqrt(mean)) + 20)
    steps = np.searchsorted((np.arange(STEPS) + 0.5) / STEPS, stats.poisson.cdf(counts, mean), side="right")
    return np.repeat(counts.astype(np.float32), np.diff(steps, prepend=0))
