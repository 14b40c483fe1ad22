"""What things are worth: `python -m benchmarks.worth [--only columns,proxy,age] [--short]`.

Prints three tables, writes build/benchmarks/worth.json. Columns are measured on CHURN_DATA; the offline score and the age of a
model on simulated customers, since only there the later conditions is known.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.worth.age import loss_by_age
from benchmarks.worth.columns import column_groups, worth_of_columns
from benchmarks.worth.proxy import MODELS, SHORT_MODELS, offline_and_online
from churn.config.params import load_params
from churn.config.settings import load_settings
from churn.contract import load_contract
from churn.data.dataset import read_dataset
from churn.data.labelled import Labelled
from pipelines.data_sources.source import find_data

OUT = Path("build/benchmarks/worth.json")
QUESTIONS = ("columns", "proxy", "age")
SEED, FOLDS = 17, 5
SHORT_ROWS, SHORT_FOLDS = 1_200, 2


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worth", description=__doc__)
    parser.add_argument("--only", default=",".join(QUESTIONS), help=f"of {', '.join(QUESTIONS)}")
    parser.add_argument("--short", action="store_true", help="a few models each, to see that it works")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    console = Console()
    results: dict[str, Any] = {}
    with Progress(console=console, transient=True) as progress:
        for name in options.only.split(","):
            work = progress.add_task(name, total=None)
            results[name] = ask(name, short=options.short, done=lambda work=work: progress.advance(work))
            progress.remove_task(work)
    for name, found in results.items():
        console.print(table_of(name, found))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"seed": SEED, "results": results}, indent=1) + "\n")
    console.print(f"written to {options.out}")


def ask(name: str, *, short: bool, done: Any) -> Any:
    """Answer one question."""
    settings = load_settings()
    contract, params = load_contract(settings.contract), load_params(settings.params)
    if name == "proxy":
        return offline_and_online(load_contract(), params, SEED, done, SHORT_MODELS if short else MODELS)
    if name == "age":
        return loss_by_age(load_contract(), params, SEED, (0, 6) if short else tuple(range(0, 13, 2)), done)
    source = find_data(settings)
    dataset = read_dataset(source.path, contract, simulated=source.simulated)
    known, groups = Labelled(dataset.features, dataset.labelled), column_groups(contract)
    if short:
        chosen = np.sort(np.random.default_rng(SEED).choice(len(dataset), min(SHORT_ROWS, len(dataset)), replace=False))
        known = Labelled(known.features.iloc[chosen].reset_index(drop=True), known.outcome.iloc[chosen].reset_index(drop=True))
        groups = groups[-2:]
    return worth_of_columns(known, contract, groups, folds=SHORT_FOLDS if short else FOLDS, seed=SEED, done=done)


def table_of(name: str, found: Any) -> Table:
    """Show one answer."""
    if name == "columns":
        table = Table("without", "log loss rises by [95 %]", "ROC AUC falls by [95 %]", title="What each column is worth")
        for row in found:
            table.add_row(", ".join(row["columns"]), _interval(row["log_loss"]), _interval(row["roc_auc"]))
    elif name == "proxy":
        title = f"Offline score and money online: Spearman {found['correlation']:+.2f} (p {found['p']:.1g})"
        table = Table("model", "trained on", "log loss offline", "earned a customer", title=title)
        for row in found["models"]:
            table.add_row(row["form"], f"{row['rows']:,}", f"{row['log_loss']:.4f}", f"{row['earned']:.3f}")
    else:
        table = Table("month", "log loss: old", "fresh", "profit: old", "fresh", title="What a model loses with age (simulated)")
        for row in found:
            old, fresh = row["old"], row["fresh"]
            figures = [f"{part[key]:.3f}" for key in ("log_loss", "profit") for part in (old, fresh)]
            table.add_row(str(row["month"]), *figures)
    return table


def _interval(figures: dict[str, float]) -> str:
    return f"{figures['mean']:+.4f} [{figures['low']:+.4f}, {figures['high']:+.4f}]"


if __name__ == "__main__":
    main()
