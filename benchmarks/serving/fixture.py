"""What all baselines serve: one model, registered and exported for each of them, and the customers that are asked about."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from churn.config.params import Form, Params, load_params
from churn.config.settings import Settings, load_settings
from churn.contract import Contract, load_contract
from churn.data.dataset import read_dataset
from churn.modeling.model import Model
from churn.modeling.training import train
from churn.modeling.training_set import assemble
from churn.registry.registry import Registry
from churn.simulation.simulate import simulate

SEED, TRAINED_ON = 17, 1_200


@dataclass(frozen=True)
class Fixture:
    """One registered champion and where it lies.

    Attributes
    ----------
    home : Path
        `CHURN_HOME` of our service.
    mlflow_model, folder, pipeline : Path
        The artifact as MLflow serves it, the same as `churn.registry.artifact` reads it, and the pipeline alone as joblib.
    trained_on : str
        Whether the customers are real or invented.
    """

    home: Path
    settings: Settings
    contract: Contract
    model: Model
    mlflow_model: Path
    pipeline: Path
    trained_on: str

    def customers(self, rows: int) -> pd.DataFrame:
        """Invent customers, all different, shape (rows, n_features)."""
        return simulate(self.contract, rows, seed=SEED + 1).features

    def probabilities(self, customers: pd.DataFrame) -> np.ndarray:
        """Give the pipeline's own answers, shape (rows,)."""
        return self.model.predict_probability(customers)


def make_fixture(home: Path, form: Form, *, short: bool) -> Fixture:
    """Train a model and make it champion of a registry under `home`; on invented customers if short or if there are no others."""
    contract, params = load_contract(), load_params(Path("params.yaml"))
    params = params.model_copy(update={"model": params.model.model_copy(update={"form": form})})
    real = load_settings().data
    if short or not real.is_file():
        trained_on = f"{TRAINED_ON:,} invented customers"
        dataset = simulate(contract, TRAINED_ON, seed=SEED)
        params = _cheap(params)
    else:
        dataset = read_dataset(real, contract)
        trained_on = f"the customers of {real.name}"
    trained = train(assemble(dataset, None, contract, params), contract, params, name="churn", trigger="benchmark")
    settings = load_settings(
        home=home, store_url=f"sqlite:///{home / 'store.db'}", tracking_uri=f"sqlite:///{home / 'mlflow.db'}"
    )
    registry = Registry(settings)
    with warnings.catch_warnings():
        # MLflow warns of type hints of its own functions when it is imported for the first time.
        warnings.simplefilter("ignore", UserWarning)
        model = registry.register(trained, {}, {})
    registry.promote(model.info.version)
    served = next(path.parent for path in (home / "artifacts").rglob("MLmodel"))
    pipeline = home / "pipeline.joblib"
    joblib.dump(model.pipeline, pipeline)
    return Fixture(home, settings, contract, registry.load(model.info.version), served, pipeline, trained_on)


def _cheap(params: Params) -> Params:
    tuning = params.tuning.model_copy(update={"search": "grid", "grid": [{"logreg__C": [1.0]}], "folds": 2})
    return params.model_copy(update={"tuning": tuning})


def as_json(customers: pd.DataFrame, row: int = 0) -> dict[str, Any]:
    """Spell one customer as JSON has it."""
    record: dict[str, Any] = json.loads(customers.iloc[[row]].to_json(orient="records"))[0]
    return record


def environment(fixture: Fixture, port: int) -> dict[str, str]:
    """Give what our own service needs to know; settings of the shell's are left out."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CHURN_", "PROMETHEUS_"))}
    return {
        **clean,
        "CHURN_HOME": str(fixture.home),
        "CHURN_STORE_URL": fixture.settings.store_url,
        "CHURN_TRACKING_URI": fixture.settings.tracking_uri,
        "CHURN_PORT": str(port),
        "CHURN_MAX_BODY_BYTES": str(512 * 2**20),
        "CHURN_MAX_BATCH_ROWS": "1000000",
        "CHURN_MAX_INFLIGHT_BYTES": str(2**31),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
