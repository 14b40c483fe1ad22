"""The stages of dvc.yaml. Each reads files, calls the core, and writes files under build/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer

from churn.config.params import load_params
from churn.config.settings import load_settings
from churn.contract import load_contract
from churn.customers.pseudonym import Pseudonymiser
from churn.data.dataset import read_dataset
from churn.data.labelled import Labelled, customer_numbers
from churn.evaluation.plots import draw_business, draw_quality, draw_slices
from churn.evaluation.report import assess
from churn.modeling.model import Model, ModelInfo
from churn.modeling.training import train as fit
from churn.modeling.training_set import TrainingSet, assemble
from churn.registry.serialization import dump_pipeline
from churn.registry.trusted_types import TRUSTED_TYPES, prepare_skops
from churn.simulation.pretraining import pretraining_customers

app = typer.Typer(pretty_exceptions_enable=False)
BUILD = Path("build")
OUTCOME, CUSTOMER, FOLD = "<outcome>", "<customer>", "<fold>"
# Begins the name of a sensitive column, which is no feature.
SENSITIVE = "<sensitive> "
# What `dvc metrics show` and `dvc metrics diff` put side by side: a table that fits a screen. The rest is in scorecard.json.
HEADLINE = ("rows", "cv_score", "roc_auc", "pr_auc", "brier", "log_loss", "profit")
# Beyond this, processors differ in the last bits of a sum.
DIGITS = 6


@app.command()
def split() -> None:
    """data/ → build/split/{train,holdout}.parquet, and which rule split them."""
    settings = load_settings()
    contract = load_contract(settings.contract)
    pseudonym = Pseudonymiser(settings.pseudonym_key.get_secret_value())
    parts = assemble(read_dataset(settings.data, contract), None, contract, load_params(settings.params), pseudonym)
    folder = _folder("split")
    for name, part in (("train", parts.train), ("holdout", parts.holdout)):
        who = np.arange(len(part)) if part.customer is None else part.customer
        frame = part.features.assign(**{OUTCOME: part.outcome})
        frame[CUSTOMER], frame[FOLD] = who, part.fold
        if part.sensitive is not None:
            frame = pd.concat([frame, part.sensitive.add_prefix(SENSITIVE)], axis=1)
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "rule.json").write_text(json.dumps({"rule": parts.rule}) + "\n")


@app.command()
def train() -> None:
    """build/split/train.parquet → build/model/{pipeline.skops,evaluated.skops,model.json,tuning.csv}."""
    settings = load_settings()
    contract, params = load_contract(settings.contract), load_params(settings.params)
    known, held = _read("train"), _read("holdout")
    rule = json.loads((BUILD / "split" / "rule.json").read_text())["rule"]
    parts = TrainingSet(known, held, held, settings.data.name, False, rule=rule)
    pretraining = pretraining_customers(contract, params)
    trained = fit(parts, contract, params, name=settings.model_name, trigger="dvc", pretraining=pretraining)
    folder = _folder("model")
    (folder / "pipeline.skops").write_bytes(dump_pipeline(trained.model.pipeline))
    (folder / "evaluated.skops").write_bytes(dump_pipeline(trained.model.judged.pipeline))
    # What is the same whenever and wherever it is made: no time, no commit, and no score of the holdout yet.
    info = trained.model.info.model_dump(
        mode="json", exclude={"trained_at", "git_commit", "version", "run_id", "metrics", "segments"}
    )
    (folder / "model.json").write_text(json.dumps(info | {"cv_score": round(trained.tuned.score, DIGITS)}, indent=2) + "\n")
    trained.tuned.candidates.round(DIGITS).to_csv(folder / "tuning.csv", index=False)


@app.command()
def evaluate() -> None:
    """build/{split/holdout.parquet,model} → build/{metrics,scorecard,slices}.json and build/plots."""
    prepare_skops()
    import skops.io

    settings = load_settings()
    contract, params = load_contract(settings.contract), load_params(settings.params)
    held = _read("holdout")
    info = json.loads((BUILD / "model" / "model.json").read_text())
    pipeline = skops.io.load(BUILD / "model" / "evaluated.skops", trusted=TRUSTED_TYPES)
    model = Model(pipeline, ModelInfo.model_validate(info | {"trained_at": 0}))
    y, p = held.outcome.to_numpy(), model.predict_probability(held.features)
    found = assess(held, p, model.info.threshold, contract, params)
    report = found.report()
    known = {**found.card.report(), "cv_score": info["cv_score"]}
    _dump(BUILD / "metrics.json", {name: known[name] for name in HEADLINE})
    _dump(BUILD / "scorecard.json", {name: report[name] for name in ("confidence", "currency", "metrics")})
    _dump(BUILD / "slices.json", {name: report[name] for name in ("confidence", "slices", "gaps", "notes")})

    folder = _folder("plots")
    for name, curve in found.curves.items():
        curve.round(DIGITS).to_csv(folder / f"{name}.csv", index=False)
    title = f"Holdout, {len(held)} customers"
    pictures = {
        "quality": draw_quality(y, p, model.info.threshold, title),
        "business": draw_business(found, params.threshold.budget, params.profit, title),
        "slices": draw_slices(found, title),
    }
    for name, picture in pictures.items():
        picture.savefig(folder / f"{name}.png", metadata={"Software": None})


def _dump(path: Path, document: Any) -> None:
    path.write_text(json.dumps(_rounded(document), indent=2, allow_nan=False) + "\n")


def _rounded(document: Any) -> Any:
    match document:
        case dict():
            return {name: _rounded(value) for name, value in document.items()}
        case list():
            return [_rounded(value) for value in document]
        case float():
            return round(document, DIGITS)
        case _:
            return document


def _folder(name: str) -> Path:
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _read(name: str) -> Labelled:
    frame = pd.read_parquet(BUILD / "split" / f"{name}.parquet")
    sensitive = frame.filter(regex=f"^{SENSITIVE}")
    features = frame.drop(columns=[OUTCOME, CUSTOMER, FOLD, *sensitive.columns])
    return Labelled(
        features,
        frame[OUTCOME],
        sensitive.rename(columns=lambda column: column.removeprefix(SENSITIVE)) if len(sensitive.columns) else None,
        customer_numbers(frame[CUSTOMER]),
        frame[FOLD].to_numpy(),
    )


if __name__ == "__main__":
    app()
