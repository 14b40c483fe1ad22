from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from monitoring.performance import cusum_calibration
from monitoring.performance.cusum import Detector


@pytest.fixture(scope="package", autouse=True)
def calibrated_once() -> Iterator[None]:
    """The same reference and rate give the same detector (test_cusum.py): simulate its threshold once, not in each run."""
    known: dict[tuple[int, str], Detector] = {}
    calibrate = cusum_calibration.calibrate

    def remembered(reference: pd.DataFrame, **chosen: Any) -> Detector:
        key = int(pd.util.hash_pandas_object(reference[["churn_probability", "churned"]]).sum()), str(sorted(chosen.items()))
        if key not in known:
            known[key] = calibrate(reference, **chosen)
        return known[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cusum_calibration, "calibrate", remembered)
        yield
