"""Run in an environment that has river: `python river_streams.py STREAMS.npz` prints when each detector alarmed, as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np


def detectors() -> dict[str, Any]:
    """Give river's detectors, with their defaults; it is not in the project's own environment."""
    from river import drift
    from river.drift import binary

    return {
        "river ADWIN": drift.ADWIN,
        "river PageHinkley": lambda: drift.PageHinkley(mode="up"),
        "river DDM": binary.DDM,
        "river HDDM_A": binary.HDDM_A,
    }


def first_alarm(detector: Any, stream: np.ndarray) -> int | None:
    """Say at which outcome it first alarms, or None."""
    for place, error in enumerate(stream, start=1):
        detector.update(int(error))
        if detector.drift_detected:
            return place
    return None


if __name__ == "__main__":
    with np.load(sys.argv[1]) as given:
        # What they have learned before is calm: as long as the horizon, like our calibrated base.
        calm = given["0.0"][::-1]
        answers: dict[str, dict[str, list[int | None]]] = {}
        for name, make in detectors().items():
            answers[name] = {"0.0": [first_alarm(make(), row) for row in given["0.0"]]}
            for more in (key for key in given.files if key != "0.0"):
                places = []
                for before, row in zip(calm, given[more], strict=True):
                    detector = make()
                    # A false alarm while it is calm is counted elsewhere: it goes on from there.
                    for error in before[:2000]:
                        detector.update(int(error))
                    places.append(first_alarm(detector, row))
                answers[name][more] = places
    print(json.dumps(answers))
