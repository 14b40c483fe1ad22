"""How often the gate's check of gaps between groups refuses a challenger that is as fair as the champion, and one that is not.

Champion and challenger are equally good readers of the same customers, whose groups are chance. A model is unfair if it overlooks
some of the first group's churners whom it would have named: so many that the group's recall is lower by a known amount.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.gate.baselines import Population, Reader, read_with_auc
from benchmarks.gate.simulations import CHAMPION_AUC, rate_of
from churn.config.params import Params
from churn.contract import Contract
from churn.evaluation.paired import Answers
from churn.evaluation.profit import break_even
from churn.evaluation.slices import Slice
from churn.fairness.gaps import Groups
from churn.lifecycle.gap_check import NAME, no_gap_widens

POPULATION_ROWS = 40_000


@dataclass(frozen=True)
class GapCell:
    """One question: how often is a challenger refused whose gap in recall is wider by so much than the champion's?"""

    gap: float
    widened_by: float
    rows: int
    columns: int
    groups: int
    shared: float


@dataclass(frozen=True)
class GapResult:
    """How many challengers were refused by this check, and how many would be if the bound had to be above the margin too."""

    cell: GapCell
    trials: int
    refused: int
    strictly: int

    def report(self) -> dict[str, Any]:
        """Give it JSON-ready."""
        rate, low, high = rate_of(self.refused, self.trials)
        return {**asdict(self.cell), "trials": self.trials, "refused": rate, "interval": [low, high]} | {
            "bound_above_margin": self.strictly / self.trials
        }


def all_gap_cells(shared: float) -> list[GapCell]:
    """Give equals without and with a gap, of one to four columns and two to five groups; then wider gaps in one column."""
    rows, shapes = (800, 2_000, 5_000), [(0.0, 1, 2), (0.0, 4, 2), (0.0, 1, 5), (0.1, 1, 2)]
    equals = [GapCell(gap, 0.0, count, columns, groups, shared) for gap, columns, groups in shapes for count in rows]
    return [*equals, *(GapCell(gap, by, count, 1, 2, shared) for gap in (0.0, 0.1) for by in (0.1, 0.2) for count in rows)]


def run_gap_cells(
    cells: list[GapCell], contract: Contract, params: Params, *, trials: int, seed: int, done: Callable[[], None]
) -> list[GapResult]:
    """Judge `trials` fresh draws for each cell; the same seed gives the same counts."""
    population, threshold = Population.of(contract, POPULATION_ROWS, seed), break_even(params.profit)
    reader = read_with_auc(population, CHAMPION_AUC)
    results = []
    for cell in cells:
        counts = Counter[str]()
        rng = np.random.default_rng([seed, *(round(100 * float(part)) for part in astuple(cell))])
        for trial in range(trials):
            outcome, champion, challenger, groups = _draw(cell, population, reader, threshold, rng)
            check = no_gap_widens(outcome, champion, challenger, groups, [], params.fairness, params.gate, trial)
            counts["refused"] += not check.passed
            counts["strictly"] += any(gap["low"] > check.limit for gap in check.detail["gaps"])
        results.append(GapResult(cell, trials, counts["refused"], counts["strictly"]))
        done()
    return results


def _draw(
    cell: GapCell, population: Population, reader: Reader, threshold: float, rng: np.random.Generator
) -> tuple[np.ndarray, Answers, Answers, Groups]:
    """Draw customers, their groups, what comes true of them, and what champion and challenger say."""
    truth = population.probability[rng.choice(len(population.probability), cell.rows, replace=False)]
    outcome = (rng.random(cell.rows) < truth).astype(np.int64)
    numbers = rng.integers(0, cell.groups, (cell.columns, cell.rows))
    groups = {
        str(column): [Slice(str(column), str(level), number == level) for level in range(cell.groups)]
        for column, number in enumerate(numbers)
    }
    alike, first = rng.normal(size=cell.rows), numbers[0] == 0
    said = []
    for gap in (cell.gap, cell.gap + cell.widened_by):
        error = np.sqrt(cell.shared) * alike + np.sqrt(1 - cell.shared) * rng.normal(size=cell.rows)
        found = _overlooking(reader.predict(truth, error), outcome, first, threshold, gap, rng)
        said.append(Answers(found, threshold))
    return outcome, said[0], said[1], groups


def _overlooking(
    said: np.ndarray, outcome: np.ndarray, group: np.ndarray, threshold: float, gap: float, rng: np.random.Generator
) -> np.ndarray:
    """Return probabilities that overlook so many of a group's churners, drawn by chance from those named."""
    named = said >= threshold
    share = gap / float(named[outcome == 1].mean())
    return np.where(named & group & (rng.random(len(said)) < share), 0.9 * threshold, said)


def gap_table(results: list[GapResult], params: Params) -> Table:
    """Show how often the check refused."""
    table = Table(
        title=f"How often {NAME} refuses a challenger, at confidence {params.gate.confidence:g} and margin "
        f"{params.fairness.margin:g}; {results[0].trials} trials each",
        caption="strictly: if the lower bound had to be above the margin, too",
    )
    for heading in ("champion's gap", "challenger's", "rows", "columns", "groups", "refused", "95 % (Wilson)", "strictly"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        cell, (rate, low, high) = result.cell, rate_of(result.refused, result.trials)
        gaps = f"{cell.gap:.2f}", f"{cell.gap + cell.widened_by:.2f}"
        table.add_row(
            *gaps,
            f"{cell.rows:,}",
            str(cell.columns),
            str(cell.groups),
            f"{rate:.1%}",
            f"{low:.1%} to {high:.1%}",
            f"{result.strictly / result.trials:.1%}",
        )
    return table
