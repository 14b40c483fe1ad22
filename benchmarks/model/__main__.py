"""Compare models on the same folds: `python -m benchmarks.model [--data FILE] [--repeats N] [--track] [--short]`.

Prints a table, writes build/benchmarks/model.json and a box plot beside it. The contract is that of CHURN_CONTRACT.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.model.baselines import OURS, baselines
from benchmarks.model.cross_validation import METRICS, cross_validate, lead, summarise
from benchmarks.model.picture import draw
from churn.config.params import load_params
from churn.config.settings import load_settings
from churn.contract import load_contract
from churn.data.dataset import Dataset, read_dataset
from churn.data.labelled import Labelled
from pipelines.data_sources.source import find_data

OUT = Path("build/benchmarks/model.json")
FOLDS, REPEATS, SEED = 5, 3, 17
# Ours is held against each kind of boosting, fold by fold.
BOOSTING = "boosting"
SHORT_ROWS, SHORT_FOLDS = 500, 2


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model", description=__doc__)
    parser.add_argument("--data", type=Path, help="labelled customers (default: CHURN_DATA, pulled where it is missing)")
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"of {FOLDS} folds (default {REPEATS})")
    parser.add_argument("--track", action="store_true", help="as a Prefect run, with one MLflow run a baseline")
    parser.add_argument(
        "--short", action="store_true", help=f"{SHORT_FOLDS} folds of {SHORT_ROWS} customers, to see that it works"
    )
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    dataset = _read(options.data)
    folds, repeats = (SHORT_FOLDS, 1) if options.short else (FOLDS, options.repeats)
    known = _some(dataset, SHORT_ROWS) if options.short else Labelled(dataset.features, dataset.labelled)
    title = f"{len(known)} customers of {dataset.source}, {repeats} x {folds} folds"

    console = Console()
    scores = _track(known, folds, repeats, title) if options.track else _cross_validate(known, folds, repeats, console)
    summary = summarise(scores, folds)
    boosted = [name for name in dict.fromkeys(scores["baseline"]) if BOOSTING in name]
    led = pd.concat([lead(scores, OURS, name, folds) for name in boosted], ignore_index=True)
    console.print(table_of(summary, title))
    for row in led.to_dict("records"):
        gain = f"{row['mean']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
        console.print(f"{row['baseline']}: {METRICS[row['metric']]} {gain}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    picture = options.out.with_suffix(".png")
    draw(scores, title).savefig(picture, dpi=110)
    document = {
        "data": dataset.source,
        "simulated": dataset.simulated,
        "data_digest": dataset.digest,
        "rows": len(known),
        "folds": folds,
        "repeats": repeats,
        "seed": SEED,
        "results": summary.to_dict("records"),
        "lead": led.to_dict("records"),
        "scores": scores.to_dict("records"),
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    console.print(f"written to {options.out} and {picture}")


def _read(path: Path | None) -> Dataset:
    settings = load_settings() if path is None else load_settings(data=path)
    source = find_data(settings)
    return read_dataset(source.path, load_contract(settings.contract), simulated=source.simulated)


def _some(dataset: Dataset, rows: int) -> Labelled:
    chosen = np.sort(np.random.default_rng(SEED).choice(len(dataset), min(rows, len(dataset)), replace=False))
    return Labelled(dataset.features.iloc[chosen].reset_index(drop=True), dataset.labelled.iloc[chosen].reset_index(drop=True))


def _cross_validate(known: Labelled, folds: int, repeats: int, console: Console) -> pd.DataFrame:
    settings = load_settings()
    entered = baselines(load_contract(settings.contract), load_params(settings.params))
    parts = []
    with Progress(console=console, transient=True) as progress:
        for name, baseline in entered.items():
            work = progress.add_task(name, total=folds * repeats)
            parts.append(
                cross_validate(
                    name,
                    baseline,
                    known,
                    folds=folds,
                    repeats=repeats,
                    seed=SEED,
                    done=lambda work=work: progress.advance(work),  # type: ignore[misc]
                )
            )
    return pd.concat(parts, ignore_index=True)


def _track(known: Labelled, folds: int, repeats: int, title: str) -> pd.DataFrame:
    from benchmarks.model.flow import compare
    from pipelines.environment import prepare_environment

    prepare_environment(load_settings())
    scores: pd.DataFrame = compare(known, folds, repeats, SEED, title)
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
