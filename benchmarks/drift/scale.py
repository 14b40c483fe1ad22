"""What a look costs: a million rows, and beside Evidently's preset on 100,000 x 100,000."""

from __future__ import annotations

import time
import warnings
from typing import Any

import pandas as pd

from churn.contract import Contract
from churn.simulation import simulate
from monitoring.drift import detect_drift
from monitoring.profile import ReferenceProfile


def beside_evidently(contract: Contract, rows: int, seed: int) -> dict[str, Any]:
    """Compare two samples of so many rows, from frames to verdict: ours with its profile and calibration, and the preset."""
    reference, window = (simulate(contract, rows, seed + place).features for place in range(2))
    started = time.perf_counter()
    profile = ReferenceProfile.of(reference, contract)
    detect_drift(profile, window, contract, 0.01)
    first = time.perf_counter() - started
    started = time.perf_counter()
    detect_drift(profile, window, contract, 0.01)
    again = time.perf_counter() - started
    theirs = _preset(reference, window, contract)
    figures = {"rows": rows, "first look, seconds": first, "next look, seconds": again, "evidently preset, seconds": theirs}
    return figures | {"ratio, first look": theirs / first, "ratio, next look": theirs / again}


def many_rows(contract: Contract, rows: int, seed: int) -> dict[str, Any]:
    """Time the decision on a window of so many rows that are in memory."""
    reference = simulate(contract, 2_833, seed).features
    window = simulate(contract, min(rows, 200_000), seed + 1).features
    parts = [window] * max(1, rows // len(window))
    profile = ReferenceProfile.of(reference, contract)
    started = time.perf_counter()
    report = detect_drift(profile, iter(parts), contract, 0.01)
    return {"rows": report.rows, "from memory, seconds": time.perf_counter() - started}


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
