"""What a monitoring run costs: at a million rows in the store, and beside Evidently's preset on 100,000 x 100,000.

`python -m benchmarks.drift.scale FOLDER` is one monitoring run on the store in a folder, in a process of its own, as JSON.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from churn.config.params import ProfitParams
from churn.config.settings import load_settings
from churn.contract import Contract, load_contract
from churn.data.dataset import Dataset
from churn.simulation.simulate import simulate
from churn.store.records import TIME_FORMAT, Outcome, PredictionRow
from churn.store.store import Store
from monitoring.drift.detect import detect_drift
from monitoring.drift.profile import ReferenceProfile
from monitoring.monitor import record_run, run_monitor
from monitoring.reference_cache import load_reference


def beside_evidently(contract: Contract, rows: int, seed: int) -> dict[str, Any]:
    """Compare two samples of so many rows, from frames to result: ours with its profile and calibration, and the preset."""
    reference, window = (simulate(contract, rows, seed + place).features for place in range(2))
    started = time.perf_counter()
    profile = ReferenceProfile.of(reference, contract)
    detect_drift(profile, window, contract, 0.01)
    first = time.perf_counter() - started
    started = time.perf_counter()
    detect_drift(profile, window, contract, 0.01)
    again = time.perf_counter() - started
    theirs = _preset(reference, window, contract)
    figures = {"rows": rows, "first run, seconds": first, "next run, seconds": again, "evidently preset, seconds": theirs}
    return figures | {"ratio, first run": theirs / first, "ratio, next run": theirs / again}


def from_store(contract: Contract, rows: int, seed: int, work: Path) -> dict[str, Any]:
    """Time a whole monitoring run at so many predictions in a store, a tenth of them with an outcome."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    _fill(work, contract, rows, seed)
    command = [sys.executable, "-m", "benchmarks.drift.scale", str(work)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    figures: dict[str, Any] = {"rows": rows} | json.loads(done.stdout)
    return figures


def _fill(work: Path, contract: Contract, rows: int, seed: int) -> None:
    customers = [simulate(contract, some, seed + place) for place, some in enumerate((2_833, min(rows, 50_000)))]
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    model.fit(customers[0].features.select_dtypes("number"), customers[0].outcome)
    reference, window = (_answered(model, made) for made in customers)
    reference.to_parquet(work / "reference.parquet")
    texts = [orjson.dumps(record).decode() for record in as_records(window, contract)]
    answers, left = window["churn_probability"].tolist(), window["churned"].tolist()
    store = Store.open(f"sqlite:///{work / 'store.db'}")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for first in range(0, rows, len(texts)):
        some = range(first, min(first + len(texts), rows))
        moments = [(start + timedelta(seconds=n / 10)).strftime(TIME_FORMAT) for n in some]
        store.write_rows(
            [
                PredictionRow(f"p{n}", None, at, "1", answers[n - first], 0.16, answers[n - first] >= 0.16, texts[n - first])
                for n, at in zip(some, moments, strict=True)
            ]
        )
        store.write_outcomes([Outcome(bool(left[n - first]), start, prediction_id=f"p{n}") for n in some if n % 10 == 0])
    store.close()


def _answered(model: Any, made: Dataset) -> pd.DataFrame:
    """Customers, what a model says of them, and who left."""
    p = model.predict_proba(made.features.select_dtypes("number"))[:, 1]
    assert made.outcome is not None
    return made.features.assign(churn_probability=p, served_probability=p, churned=made.outcome.astype("float64"))


def as_records(frame: pd.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """Give customers as the log encodes them."""
    columns = {}
    for column in contract.features:
        values = [None if pd.isna(value) else value for value in frame[column.name].tolist()]
        columns[column.name] = [None if v is None else bool(v) for v in values] if column.kind == "flag" else values
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _peak_megabytes() -> float:
    # Linux's getrusage starts a program with what the process that started it had taken; this does not.
    status = Path("/proc/self/status")
    if status.exists():
        return next(float(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


def one_run(work: Path) -> dict[str, float]:
    """Run once; in this process, whose memory is what it took."""
    settings = load_settings(home=work, store_url=f"sqlite:///{work / 'store.db'}")
    contract = load_contract(settings.contract)
    reference = load_reference(work / "summaries", "1", contract, lambda: pd.read_parquet(work / "reference.parquet"))
    store = Store.open(settings.store_url)
    started = time.perf_counter()
    run = run_monitor(store, contract, settings, "1", reference, campaign=ProfitParams())
    record_run(store, run)
    seconds = time.perf_counter() - started
    peak = _peak_megabytes()
    return {"judged": run.result.rows, "outcomes": run.result.labelled_rows, "seconds": seconds, "peak MB": peak}


def _preset(reference: pd.DataFrame, window: pd.DataFrame, contract: Contract) -> float:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    warnings.simplefilter("ignore")
    numbers = [c.name for c in contract.features if c.kind in ("number", "integer")]
    definition = DataDefinition(
        numerical_columns=numbers, categorical_columns=[name for name in contract.feature_names if name not in numbers]
    )
    started = time.perf_counter()
    sides = [Dataset.from_pandas(side, data_definition=definition) for side in (window, reference)]
    Report([DataDriftPreset()]).run(*sides).dict()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(one_run(Path(sys.argv[1]))))
