"""How often the gate's check of gaps between groups refuses a challenger that is as fair as the champion, and one that is not.

Champion and challenger are equally good readers of the same customers, whose groups are chance. A model is unfair if it overlooks
some of the first group's churners whom it would have named: so many that the group's recall is lower by a known amount.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.gate.baselines import CHALLENGER, CHAMPION, Population, draw_fresh, read_with_auc
from benchmarks.gate.simulations import CHAMPION_AUC, rate_of
from churn.config.params import Params
from churn.contract import Column, Contract
from churn.data.labelled import Labelled
from churn.evaluation.paired import Answers
from churn.evaluation.profit import break_even
from churn.fairness.gaps import groups_of
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
    population = Population.of(contract, POPULATION_ROWS, seed)
    results = []
    for cell in cells:
        names = [f"group_{number}" for number in range(cell.columns)]
        sensitive = [Column(name=name, source=name, kind="category", role="sensitive") for name in names]
        grouped = contract.model_copy(update={"columns": (*contract.columns, *sensitive)})
        threshold, counts = break_even(params.profit), Counter[str]()
        for trial, fresh in enumerate(_draws(cell, names, population, threshold, trials, seed)):
            answers = [Answers(fresh.features[model].to_numpy(), threshold) for model in (CHAMPION, CHALLENGER)]
            groups, notes = groups_of(fresh, grouped, params.evaluation.slices)
            y = fresh.outcome.to_numpy()
            check = no_gap_widens(y, *(answers[0], answers[1], groups, notes), params.fairness, params.gate, trial)
            counts["refused"] += not check.passed
            counts["strictly"] += any(gap["low"] > check.limit for gap in check.detail["gaps"])
        results.append(GapResult(cell, trials, counts["refused"], counts["strictly"]))
        done()
    return results


def _draws(
    cell: GapCell, names: list[str], population: Population, threshold: float, trials: int, seed: int
) -> Iterator[Labelled]:
    reader = read_with_auc(population, CHAMPION_AUC)
    rng = np.random.default_rng([seed, cell.rows, cell.columns, cell.groups, round(100 * cell.gap), round(100 * cell.widened_by)])
    for _ in range(trials):
        fresh = draw_fresh(population, reader, reader, rows=cell.rows, shared=cell.shared, rng=rng)
        sensitive = pd.DataFrame({name: rng.integers(0, cell.groups, cell.rows).astype(str) for name in names})
        first = (sensitive[names[0]] == "0").to_numpy()
        said = {
            model: _overlooking(fresh.features[model].to_numpy(), fresh.outcome.to_numpy(), first, threshold, gap, rng)
            for model, gap in ((CHAMPION, cell.gap), (CHALLENGER, cell.gap + cell.widened_by))
        }
        yield replace(fresh, features=fresh.features.assign(**said), sensitive=sensitive)


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
