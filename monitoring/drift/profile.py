"""A reference, summarised once: every monitoring run compares a window's sums with it, and never reads its rows again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.contract import Contract
from monitoring.drift.columns import PROBABILITY, numbers_of
from monitoring.drift.months import Months
from monitoring.drift.null_distribution import MAX_REFERENCE_ROWS, MaxDistribution, draw_maxima
from monitoring.drift.rank_scores import MIN_SPREAD, Floats, RankScores, Scores
from monitoring.drift.slice_scores import SliceScores
from monitoring.drift.staying import Staying
from monitoring.drift.sums import Sums
from monitoring.drift.weights import Weights, fit_weights
from monitoring.slicing import Slicing

SEED = 20_260_101
# Rows summed at a time: small enough to stay in the processor's cache, and out of the memory's way.
CHUNK_ROWS = 10_000
THREADS = os.cpu_count() or 1
# Scores of a column that take part in pairs: location and spread. More columns than these pair only by location.
MAX_FULL_PAIRS, MAX_PAIRS = 300, 5_000
# Window sizes within a tenth of each other share a calibration.
SIZE_STEP = 1.1


@dataclass(frozen=True)
class ReferenceProfile:
    """A reference in a few arrays.

    Attributes
    ----------
    numbers : dict of RankScores
        Numeric columns (and the prediction) with two distinct values or more.
    ranges : dict of (float, float)
        Least and largest value of each numeric column that has any.
    pairs : tuple of (int, int)
        Pair scores whose products are tested for dependence.
    staying : Staying
        How those who stayed differ from all: only customers who come again need it.
    slices : SliceScores or None
        Of its groups of customers, where there are any and the model has answered.
    months : Months
        What they usually are, where it is known which month a row speaks of.
    """

    contract: Contract
    rows: int
    numbers: dict[str, RankScores]
    flags: dict[str, RankScores]
    ranges: dict[str, tuple[float, float]]
    pairs: tuple[tuple[int, int], ...]
    pair_spreads: Floats
    sums: Sums
    sample: pd.DataFrame
    weights: Weights | None
    staying: Staying = field(default_factory=Staying)
    slices: SliceScores | None = None
    months: Months = field(default_factory=Months)
    cache: dict[tuple[int, tuple[str, ...]], dict[str, MaxDistribution]] = field(default_factory=dict)

    @classmethod
    def of(cls, reference: pd.DataFrame, contract: Contract, slicing: Slicing | None = None) -> ReferenceProfile:
        """Summarise a reference.

        Parameters
        ----------
        reference : pandas.DataFrame
            The contract's features, as in `churn.customers.frame` (columns may be absent), and churn_probability where a
            model has answered. With `churned`, it is known who stays; without probabilities, impacts are estimated from it.
        contract : Contract
            The description of a customer.
        slicing : Slicing, optional
            Of this reference.

        Returns
        -------
        ReferenceProfile
            The same for the same rows.
        """
        numeric = [column.name for column in contract.features if column.kind in ("number", "integer")]
        names = [name for name in [*numeric, PROBABILITY] if name in reference]
        numbers = {name: scores for name in names if (scores := RankScores.of(numbers_of(reference, name))) is not None}
        kinds = {column.name: column.kind for column in contract.features}
        flagged = [name for name, kind in kinds.items() if kind == "flag" and name in reference]
        flags = {name: scores for name in flagged if (scores := RankScores.of(numbers_of(reference, name), 1)) is not None}
        ranges = {name: found for name in numeric if name in reference and (found := _range(numbers_of(reference, name)))}
        sample = reference.reset_index(drop=True)
        if len(sample) > MAX_REFERENCE_ROWS:
            sample = sample.sample(MAX_REFERENCE_ROWS, random_state=SEED)
        slices = None
        if slicing is not None and slicing.rules and PROBABILITY in numbers:
            slices = SliceScores.of(reference, slicing, numbers)
        empty = np.zeros(0)
        half = cls(contract, len(reference), numbers, flags, ranges, (), empty, Sums(), sample, None)
        pairs = _pairs(half)
        whole = cls(contract, len(reference), numbers, flags, ranges, pairs, empty, Sums(), sample, None)
        sums = whole.summarise([reference])
        spreads = empty
        if pairs:
            first, second = np.array(pairs).T
            products = whole.pair_scores(sample)
            spreads = (products[:, first] * products[:, second]).std(axis=0).astype(np.float64)
        weights = fit_weights(reference, numbers | flags, _levelled(contract))
        staying = Staying.of(reference, numbers, [*flagged, *_levelled(contract)])
        made = cls(contract, len(reference), numbers, flags, ranges, pairs, spreads, sums, sample, weights, staying, slices)
        return replace(made, months=Months.of(reference, made.summarise))

    @cached_property
    def score_columns(self) -> tuple[str, ...]:
        """Owner of each score of a number, in order."""
        return tuple(name for name, scores in self.numbers.items() for _ in range(scores.table.shape[1]))

    @cached_property
    def pair_columns(self) -> tuple[str, ...]:
        """Owner of each score that takes part in pairs."""
        members = [(name, s) for name, s in (self.numbers | self.flags).items() if name != PROBABILITY]
        return tuple(name for name, s in members for _ in range(s.pair_orders))

    def number_scores(self, frame: pd.DataFrame) -> Scores:
        """Return the scores of all numbers, shape (n, n_scores)."""
        return _stack([s.of_column(numbers_of(frame, name)) for name, s in self.numbers.items()], len(frame))

    def pair_scores(self, frame: pd.DataFrame) -> Scores:
        """Return the scores that take part in pairs, shape (n, n_pair_scores)."""
        members = [(name, s) for name, s in (self.numbers | self.flags).items() if name != PROBABILITY]
        return _stack([s.of_column(numbers_of(frame, name))[:, : s.pair_orders] for name, s in members], len(frame))

    def summarise(self, frames: Iterable[pd.DataFrame]) -> Sums:
        """Return the sums of a window, read part by part. A column that is absent from a part is absent altogether."""
        sums = self._nothing()
        # NumPy releases the interpreter's lock while it searches, gathers and multiplies.
        with ThreadPoolExecutor(THREADS) as pool:
            for frame in frames:
                parts = [frame.iloc[start : start + CHUNK_ROWS] for start in range(0, max(len(frame), 1), CHUNK_ROWS)]
                for found in pool.map(self._summed, parts) if len(parts) > 1 else map(self._summed, parts):
                    sums.add(found)
        return sums

    def _nothing(self) -> Sums:
        square = (len(self.pair_columns),) * 2
        return Sums(scores=np.zeros(len(self.score_columns)), products=np.zeros(square), together=np.zeros(square))

    def _summed(self, part: pd.DataFrame) -> Sums:
        sums = self._nothing()
        sums.columns = set(part.columns)
        self._add(sums, part)
        return sums

    def _add(self, sums: Sums, part: pd.DataFrame) -> None:
        sums.rows += len(part)
        members = self.numbers | self.flags
        values = {name: numbers_of(part, name) for name in members}
        scored = {name: scores.of_column(values[name]) for name, scores in members.items()}
        if self.numbers:
            sums.scores += np.concatenate([scored[name].sum(axis=0, dtype=np.float64) for name in self.numbers])
        if self.pairs:
            paired = np.hstack([scored[n][:, : s.pair_orders] for n, s in members.items() if n != PROBABILITY])
            sums.products += paired.T @ paired
            there = np.stack([~np.isnan(values[name]) for name in self.pair_columns], axis=1).astype(np.float32)
            sums.together += len(part) if there.all() else there.T @ there
        if self.slices is not None:
            sums.slices = self.slices.sum_up(part)
        for column in self.contract.features:
            name = column.name
            if name not in part:
                continue
            if column.kind in ("category", "flag"):
                counted = part[name].value_counts()
                sums.levels.setdefault(name, Counter()).update({str(level): int(n) for level, n in counted.items()})
                sums.present[name] += int(counted.sum())
            else:
                self._add_numbers(sums, name, values.get(name, numbers_of(part, name)))
        if PROBABILITY in part:
            self._add_numbers(sums, PROBABILITY, values.get(PROBABILITY, numbers_of(part, PROBABILITY)))
        for check in self.contract.checks:
            if check.column in part and check.equals in part:
                gap = np.abs(numbers_of(part, check.column) - numbers_of(part, check.equals) * check.times)
                sums.related[check.column] += int((~np.isnan(gap)).sum())
                sums.broken[check.column] += int((gap > check.tolerance + 1e-9).sum())

    def _add_numbers(self, sums: Sums, name: str, values: Floats) -> None:
        there = values[~np.isnan(values)]
        sums.present[name] += there.size
        sums.value_sums[name] = sums.value_sums.get(name, 0.0) + float(there[np.isfinite(there)].sum())
        if name in self.ranges:
            low, high = self.ranges[name]
            sums.below[name] += int((there < low).sum())
            sums.above[name] += int((there > high).sum())

    def calibrated(self, rows: int, columns: set[str]) -> dict[str, MaxDistribution]:
        """Return the null distributions of the largest |z| of each family; they are kept for the next window.

        Sizes within a tenth of each other share one: the smaller size's, whose tail is heavier.

        Parameters
        ----------
        rows : int
            Size of the window.
        columns : set of str
            Columns that the window has values of.

        Returns
        -------
        dict of MaxDistribution
            By family: location, shape, dependence, slices; only those that have tests.
        """
        size = int(SIZE_STEP ** int(np.log(max(rows, 1)) / np.log(SIZE_STEP)))
        absent = tuple(sorted(name for name in self.numbers | self.flags if name not in columns))
        key = (max(size, 1), absent)
        if key not in self.cache:
            self.cache[key] = self._calibrate(key[0], set(absent))
        return self.cache[key]

    def _calibrate(self, rows: int, absent: set[str]) -> dict[str, MaxDistribution]:
        families = {}
        scores, kinds = self.number_scores(self.sample), [kind for s in self.numbers.values() for kind in s.kinds]
        for family in ("location", "shape"):
            kept = [k == family and name not in absent for k, name in zip(kinds, self.score_columns, strict=True)]
            if any(kept):
                families[family] = _standard(scores[:, kept])
        usable = self.usable_pairs(absent)
        if usable.any():
            paired = self.pair_scores(self.sample)
            first, second = np.array(self.pairs)[usable].T
            families["dependence"] = _standard(paired[:, first] * paired[:, second])
        if self.slices is not None:
            families["slices"] = _standard(self.slices.of_rows(self.sample))
        drawn = draw_maxima(list(families.values()), rows, self.rows, SEED) if families else []
        return dict(zip(families, drawn, strict=True))

    def flag_total(self, name: str, side: Sums) -> float:
        """Return the sum of a flag's scores; it follows from the counts of its levels.

        Parameters
        ----------
        name : str
            One of `flags`.
        side : Sums
            Of a window, or of the reference.

        Returns
        -------
        float
            0 where no value is there.
        """
        levels = side.levels.get(name, Counter())
        scores = self.flags[name].of_column(np.array([float(level) for level in levels], dtype=np.float64))[:, 0]
        return sum((float(score) * rows for score, rows in zip(scores, levels.values(), strict=True)), 0.0)

    def usable_pairs(self, absent: set[str]) -> NDArray[np.bool_]:
        """Return which pairs can be tested, shape (n_pairs,): both columns there, and not the same product everywhere."""
        owners = self.pair_columns
        there = [owners[a] not in absent and owners[b] not in absent for a, b in self.pairs]
        return np.array(there, dtype=bool) & (self.pair_spreads > MIN_SPREAD)


def _range(values: Floats) -> tuple[float, float] | None:
    there = values[~np.isnan(values)]
    return (float(there.min()), float(there.max())) if there.size else None


def _levelled(contract: Contract) -> list[str]:
    return [column.name for column in contract.features if column.kind == "category"]


def _pairs(profile: ReferenceProfile) -> tuple[tuple[int, int], ...]:
    owners = profile.pair_columns
    columns = list(dict.fromkeys(owners))
    full = len(columns) * (len(columns) - 1) / 2 <= MAX_FULL_PAIRS
    first_of = {owner: place for place, owner in reversed(list(enumerate(owners)))}
    members = [place for place, owner in enumerate(owners) if full or first_of[owner] == place]
    pairs = [(a, b) for a in members for b in members if a < b and owners[a] != owners[b]]
    if len(pairs) > MAX_PAIRS:
        # Too many to test each: those that hang together most have most to lose.
        scores = profile.pair_scores(profile.sample)
        together = np.abs(scores.T @ scores)
        pairs = sorted(sorted(pairs, key=lambda pair: -together[pair])[:MAX_PAIRS])
    return tuple(pairs)


def _standard(scores: Scores) -> Scores:
    spread = scores.std(axis=0)
    centred = (scores - scores.mean(axis=0)) / np.where(spread > MIN_SPREAD, spread, 1.0)
    return np.asarray(centred, dtype=np.float32)


def _stack(parts: list[Scores], rows: int) -> Scores:
    return np.hstack(parts) if parts else np.zeros((rows, 0), dtype=np.float32)
