"""The stages of dvc.yaml. Each reads files, calls the core, and writes files under build/."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import skops.io
import typer
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve

from churn.artifact import dump_pipeline
from churn.contract import load_contract
from churn.data import read_dataset
from churn.evaluation import evaluate as score
from churn.model import Model, ModelInfo
from churn.params import load_params
from churn.plots import draw_quality
from churn.registry import TRUSTED_TYPES
from churn.settings import load_settings
from churn.split import Labelled
from churn.training import TrainingSet, assemble
from churn.training import train as fit

app = typer.Typer(pretty_exceptions_enable=False)
BUILD = Path("build")
OUTCOME = "<outcome>"
# Beyond this, processors differ in the last bits of a sum.
DIGITS = 6


@app.command()
def split() -> None:
    """data/ → build/split/{train,holdout}.parquet."""
    settings = load_settings()
    contract = load_contract(settings.contract)
    parts = assemble(read_dataset(settings.data, contract), None, contract, load_params(settings.params))
    folder = _folder("split")
    for name, part in (("train", parts.train), ("holdout", parts.holdout)):
        part.features.assign(**{OUTCOME: part.outcome}).to_parquet(folder / f"{name}.parquet", index=False)


@app.command()
def train() -> None:
    """build/split/train.parquet → build/model/{pipeline.skops,model.json,tuning.csv}."""
    settings = load_settings()
    contract, params = load_contract(settings.contract), load_params(settings.params)
    known, held = _read("train"), _read("holdout")
    trained = fit(
        TrainingSet(known, held, held, settings.data.name, False), contract, params, name=settings.model_name, trigger="dvc"
    )
    folder = _folder("model")
    (folder / "pipeline.skops").write_bytes(dump_pipeline(trained.model.pipeline))
    # What is the same whenever and wherever it is made: no time, no commit, and no score of the holdout yet.
    info = trained.model.info.model_dump(mode="json", exclude={"trained_at", "git_commit", "version", "run_id", "metrics"})
    (folder / "model.json").write_text(json.dumps(info | {"cv_score": round(trained.tuned.score, DIGITS)}, indent=2) + "\n")
    trained.tuned.candidates.round(DIGITS).to_csv(folder / "tuning.csv", index=False)


@app.command()
def evaluate() -> None:
    """build/{split/holdout.parquet,model} → build/metrics.json and build/plots."""
    held = _read("holdout")
    said = json.loads((BUILD / "model" / "model.json").read_text())
    pipeline = skops.io.load(BUILD / "model" / "pipeline.skops", trusted=TRUSTED_TYPES)
    model = Model(pipeline, ModelInfo.model_validate(said | {"trained_at": 0}))
    y, p = held.outcome.to_numpy(), model.predict_probability(held.features)
    card = score(y, p, model.info.threshold)
    metrics = {name: _tidy(value) for name, value in {**card.metrics(), "cv_score": said["cv_score"]}.items()}
    (BUILD / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")

    folder = _folder("plots")
    fpr, tpr, _ = roc_curve(y, p)
    _write(folder / "roc.csv", false_positive_rate=fpr, true_positive_rate=tpr)
    precision, recall, _ = precision_recall_curve(y, p)
    _write(folder / "precision_recall.csv", recall=recall, precision=precision)
    observed, predicted = calibration_curve(y, p, n_bins=10, strategy="quantile")
    _write(folder / "calibration.csv", predicted=predicted, observed=observed)
    draw_quality(y, p, model.info.threshold, f"Holdout, {len(held)} customers").savefig(
        folder / "quality.png", metadata={"Software": None}
    )


def _tidy(value: float) -> float | int | None:
    if math.isnan(value):
        return None
    return int(value) if value.is_integer() and abs(value) > 1 else round(value, DIGITS)


def _folder(name: str) -> Path:
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _read(name: str) -> Labelled:
    frame = pd.read_parquet(BUILD / "split" / f"{name}.parquet")
    return Labelled(frame.drop(columns=OUTCOME), frame[OUTCOME])


def _write(path: Path, **columns: object) -> None:
    pd.DataFrame(columns).round(DIGITS).to_csv(path, index=False)


if __name__ == "__main__":
    app()
