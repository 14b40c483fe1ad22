"""Compare models on the same folds: `python -m benchmarks.model [--data FILE | --sample NAME] [--only BASELINE] …`.

Prints a table, and how far ours is ahead of each kind of boosting; writes JSON and a box plot to build/benchmarks/. The scores of
each fold are kept beside them as they are made, so that a comparison that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.model.baselines import NETWORK, OURS, baselines, choose
from benchmarks.model.cross_validation import METRICS, cross_validate, lead, summarise
from benchmarks.model.kept import KeptScores, code_digest
from benchmarks.model.picture import draw
from benchmarks.model.tables import TABLES, CompareOn, find_table
from churn.config.params import load_params
from churn.config.settings import load_settings
from churn.data.labelled import Labelled
from churn.errors import ChurnError, InputError

OUT = Path("build/benchmarks/model.json")
FOLDS, REPEATS, SEED = 5, 3, 17
# Ours is held against each of these, fold by fold.
STRONGEST = ("boosting", NETWORK)
SHORT_ROWS, SHORT_FOLDS = 500, 2
INTERVALS = "95 % intervals of Nadeau and Bengio (2003): paired by fold, corrected for what folds share"


@dataclass(frozen=True)
class Plan:
    """Which folds, and whose scores."""

    folds: int
    repeats: int
    seed: int
    first: int | None
    only: tuple[str, ...]

    @property
    def count(self) -> int:
        """Return how many folds are scored."""
        return min(self.folds * self.repeats, self.first or self.folds * self.repeats)


def main() -> None:
    """Run it."""
    options = _options()
    console = Console()
    try:
        _run(options, console)
    except ChurnError as error:
        raise SystemExit(f"benchmarks.model: {error}") from error


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model", description=__doc__)
    parser.add_argument("--data", type=Path, help="labelled customers (default: CHURN_DATA)")
    parser.add_argument("--contract", help="of the data (default: CHURN_CONTRACT, or drafted where the data do not keep that)")
    parser.add_argument("--sample", help=f"a published table instead, with a drafted contract: {', '.join(TABLES)}")
    parser.add_argument("--target", help="the outcome's column, where a contract is drafted")
    parser.add_argument("--folds", type=int, default=FOLDS, help=f"default {FOLDS}")
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"of the folds (default {REPEATS})")
    parser.add_argument("--first", type=int, help="of these folds, the first so many only")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the folds (default {SEED})")
    parser.add_argument(
        "--only", action="append", default=[], metavar="BASELINE", help="whose name has this text in it; may be repeated"
    )
    parser.add_argument("--track", action="store_true", help="as a Prefect run, with one MLflow run a baseline")
    parser.add_argument(
        "--short", action="store_true", help=f"{SHORT_FOLDS} folds of {SHORT_ROWS} customers, to see that it works"
    )
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


def _run(options: argparse.Namespace, console: Console) -> None:
    settings = load_settings()
    table = find_table(
        options.data, options.contract, options.sample, options.target, settings, options.out.parent / "model-tables"
    )
    plan = Plan(options.folds, options.repeats, options.seed, options.first, tuple(options.only))
    known = Labelled(table.dataset.features, table.dataset.labelled)
    if options.short:
        known, plan = _some(table, SHORT_ROWS), Plan(SHORT_FOLDS, 1, options.seed, None, plan.only)
    _check(plan, known)
    title = f"{len(known)} customers of {table.name}, {plan.count} of {plan.repeats} x {plan.folds} folds"
    console.print(f"{title}; {table.how}")
    kept = options.out.with_suffix(".folds.jsonl")
    scores = _track(known, table, plan, title) if options.track else _cross_validate(known, table, plan, kept, console)
    summary = summarise(scores, plan.folds)
    strongest = [name for name in dict.fromkeys(scores["baseline"]) if any(kind in name for kind in STRONGEST)]
    entered = set(scores["baseline"])
    led = [lead(scores, OURS, name, plan.folds) for name in strongest if OURS in entered]
    leads = pd.concat(led, ignore_index=True) if led else summary.iloc[:0]
    console.print(table_of(summary, title))
    for row in leads.to_dict("records"):
        gain = f"{row['mean']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
        console.print(f"{row['baseline']}: {METRICS[row['metric']]} {gain}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    picture = options.out.with_suffix(".png")
    draw(scores, title).savefig(picture, dpi=110)
    document = {
        "data": table.dataset.source,
        "simulated": table.dataset.simulated,
        "data_digest": table.dataset.digest,
        "contract": table.contract.name,
        "rows": len(known),
        "folds": plan.folds,
        "repeats": plan.repeats,
        "scored_folds": plan.count,
        "seed": plan.seed,
        "intervals": INTERVALS,
        "results": summary.to_dict("records"),
        "lead": leads.to_dict("records"),
        "scores": scores.to_dict("records"),
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    console.print(f"{INTERVALS}\nwritten to {options.out} and {picture}; folds are kept in {kept}", soft_wrap=True)


def _check(plan: Plan, known: Labelled) -> None:
    if plan.folds < 2:
        raise InputError(f"--folds {plan.folds}: at least 2")
    if plan.repeats < 1:
        raise InputError(f"--repeats {plan.repeats}: at least 1")
    if plan.count < 2:
        raise InputError(f"--first {plan.first}: at least 2, or there is no interval")
    rarer = int(min(known.outcome.sum(), len(known) - known.outcome.sum()))
    if rarer < plan.folds:
        raise InputError(f"--folds {plan.folds}: one class has only {rarer} customers")


def _some(table: CompareOn, rows: int) -> Labelled:
    dataset = table.dataset
    chosen = np.sort(np.random.default_rng(SEED).choice(len(dataset), min(rows, len(dataset)), replace=False))
    return Labelled(dataset.features.iloc[chosen].reset_index(drop=True), dataset.labelled.iloc[chosen].reset_index(drop=True))


def _cross_validate(known: Labelled, table: CompareOn, plan: Plan, path: Path, console: Console) -> pd.DataFrame:
    params = load_params(load_settings().params)
    about = {
        "code": code_digest(),
        "data": table.dataset.digest,
        "rows": len(known),
        "contract": table.contract.digest,
        "params": params.model_dump(mode="json"),
        "folds": [plan.folds, plan.repeats, plan.seed],
    }
    kept = KeptScores(path, about)
    parts = []
    with Progress(console=console, transient=True) as progress:
        for name, baseline in choose(baselines(table.contract, params), plan.only).items():
            work = progress.add_task(name, total=plan.count)
            parts.append(
                cross_validate(
                    name,
                    baseline,
                    known,
                    folds=plan.folds,
                    repeats=plan.repeats,
                    seed=plan.seed,
                    done=lambda work=work: progress.advance(work),  # type: ignore[misc]
                    first=plan.first,
                    kept=kept,
                )
            )
    return pd.concat(parts, ignore_index=True)


def _track(known: Labelled, table: CompareOn, plan: Plan, title: str) -> pd.DataFrame:
    from benchmarks.model.flow import compare
    from pipelines.environment import prepare_environment

    prepare_environment(load_settings())
    scores: pd.DataFrame = compare(known, table.contract, list(plan.only), plan.folds, plan.repeats, plan.first, plan.seed, title)
    return scores


def table_of(summary: pd.DataFrame, title: str) -> Table:
    """Show mean ± standard deviation over the folds and the 95 % interval of the mean."""
    table = Table("model", *METRICS.values(), title=title, caption="mean ± sd over folds [95 % interval of the mean]")
    for name, part in summary.groupby("baseline", sort=False):
        rows = part.set_index("metric")
        cells = [
            f"{rows.loc[m, 'mean']:.4f} ± {rows.loc[m, 'sd']:.4f}\n[{rows.loc[m, 'low']:.4f}, {rows.loc[m, 'high']:.4f}]"
            for m in METRICS
        ]
        table.add_row(str(name), *cells, style="bold" if name == OURS else None)
    return table


if __name__ == "__main__":
    main()
