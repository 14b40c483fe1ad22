from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churn.store.store import Store
from monitoring.performance import cusum_calibration
from monitoring.performance.cusum import Detector

_KNOWN: dict[tuple[int, str], Detector] = {}


@pytest.fixture(autouse=True)
def _calibrated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same reference and rate give the same detector (test_cusum.py): simulate its threshold once, not in each run."""
    calibrate = cusum_calibration.calibrate

    def remembered(reference: pd.DataFrame, **chosen: Any) -> Detector:
        rows = reference[["churn_probability", "churned"]]
        key = int(pd.util.hash_pandas_object(rows).sum()), str(sorted(chosen.items()))
        if key not in _KNOWN:
            _KNOWN[key] = calibrate(reference, **chosen)
        return _KNOWN[key]

    monkeypatch.setattr(cusum_calibration, "calibrate", remembered)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()
