"""What the demo shows at its end: a row a window, and a picture of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from churn.data.dataset import Dataset
from churn.evaluation.scorecard import Scorecard, evaluate
from monitoring.run_result import RunResult
from pipelines.console import console

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# By the words of `WindowResult.alarms`.
ALARM_COLORS = {"calm": "tab:green", "covariate": "tab:orange", "covariate + concept": "tab:red", "concept": "tab:red"}


@dataclass(frozen=True)
class WindowResult:
    """One window of the demo: who answered, what the monitor found, how good the answers were.

    Attributes
    ----------
    card : Scorecard
        Of the answers that were given.
    without : Scorecard or None
        Of what the first champion would have answered, after it was replaced.
    """

    name: str
    version: str
    rows: int
    shift: RunResult
    run: RunResult
    card: Scorecard
    without: Scorecard | None = None

    @property
    def alarms(self) -> str:
        """The alarms in words."""
        names = [word for word, on in (("covariate", self.shift.covariate_alarm), ("concept", self.run.concept_alarm)) if on]
        return " + ".join(names) or "calm"


def summarise(name: str, customers: Dataset, answers: list[dict[str, Any]], shift: RunResult, run: RunResult) -> WindowResult:
    """Score the answers that were really given against what came true.

    Parameters
    ----------
    name : str
        Of the window.
    customers : Dataset
        With their outcomes.
    answers : list of dict
        Of the service, in the order of the customers.
    shift, run : RunResult
        The monitoring run with the predictions, and that with the outcomes; one run may be both.

    Returns
    -------
    WindowResult
        Without the figures of a replaced model.
    """
    probability = np.array([answer["churn_probability"] for answer in answers])
    card = evaluate(customers.labelled.to_numpy(), probability, answers[-1]["threshold"])
    return WindowResult(name, str(answers[-1]["model_version"]), len(answers), shift, run, card)


def print_windows(results: list[WindowResult]) -> None:
    """Print the closing table."""
    table = Table(box=SIMPLE, title="the loop, window by window")
    for heading in ("window", "model", "rows", "churned", "drift", "decision", "ROC AUC", "Brier"):
        table.add_column(heading, justify="right" if heading in ("rows", "churned", "ROC AUC", "Brier") else "left")
    for result in results:
        card = result.card
        table.add_row(
            result.name,
            result.version,
            str(result.rows),
            f"{card.churn_rate:.1%}",
            result.alarms,
            result.run.policy.action,
            _with_baseline(card.roc_auc, result.without.roc_auc if result.without else None),
            _with_baseline(card.brier, result.without.brier if result.without else None),
        )
    console.print(table)


def _with_baseline(value: float, baseline: float | None) -> str:
    return f"{value:.3f}" if baseline is None else f"{value:.3f} (old: {baseline:.3f})"


def draw_windows(results: list[WindowResult], path: Path) -> Path:
    """Draw quality window by window, alarms marked.

    Parameters
    ----------
    results : list of WindowResult
        In the order of time.
    path : Path
        A PNG file.

    Returns
    -------
    Path
        The same path.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    for axes, name, label in ((upper, "roc_auc", "ROC AUC"), (lower, "brier", "Brier score (lower is better)")):
        _draw_score(axes, results, name)
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    upper.legend(fontsize="small", ncols=2)
    lower.set_xticks(np.arange(len(results)), [result.name for result in results])
    figure.suptitle("Quality of the answers, window by window")
    figure.savefig(path, dpi=120)
    return path


def _draw_score(axes: Axes, results: list[WindowResult], name: str) -> None:
    """Draw one score of each window, coloured by its alarms; beside it that of a replaced model, and where versions change."""
    values = [getattr(result.card, name) for result in results]
    replaced = [(at, getattr(result.without, name)) for at, result in enumerate(results) if result.without]
    if replaced:
        label = "the old model on the same customers"
        places, scores = zip(*replaced, strict=True)
        axes.scatter(places, scores, facecolors="none", edgecolors="0.3", s=60, label=label)
    axes.plot(np.arange(len(results)), values, color="0.3", zorder=2)
    for alarms, color in ALARM_COLORS.items():
        where = [at for at, result in enumerate(results) if result.alarms == alarms]
        if where:
            axes.scatter(where, [values[at] for at in where], color=color, s=60, zorder=3, label=alarms)
    for at, (before, result) in enumerate(pairwise(results), 1):
        if result.version != before.version:
            axes.axvline(at - 0.5, color="tab:blue", linestyle="--", label=f"version {result.version} takes over")


def describe_drift(run: RunResult) -> str:
    """Name what drifted and by how much, most surprising first."""

    def brief(value: float | None) -> str:
        return "none" if value is None else f"{value:.3g}"

    drifted = sorted(run.drift.drifted if run.drift else (), key=lambda result: result.p_value)
    return "; ".join(f"{r.feature}: {r.measure} {brief(r.reference)} → {brief(r.current)}" for r in drifted)
