"""Changes in streams of errors: after how many outcomes they are found, by us and by river's detectors as they come."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from monitoring.performance.cusum import HORIZON
from monitoring.performance.cusum_calibration import calibrate_errors

BASE, MORE = 0.195, (0.0, 0.05, 0.10)
RATE = 0.05
# Its detectors take microseconds an outcome.
RIVER_STREAMS = 100
RIVER = "river==0.22.0"
SCRIPT = Path(__file__).with_name("river_streams.py")


def streams(more: float, count: int, seed: int) -> np.ndarray:
    """Make streams of errors, shape (count, HORIZON), each 0 or 1."""
    rng = np.random.default_rng([seed, round(1000 * more)])
    return (rng.random((count, HORIZON)) < BASE + more).astype(np.int8)


def run(count: int, seed: int, *, peers: bool, work: Path) -> list[dict[str, Any]]:
    """Let everybody listen to the same streams; river only where it can be had."""
    detector = calibrate_errors(BASE, false_alarm_rate=RATE)
    given = {more: streams(more, count, seed) for more in MORE}
    found: dict[str, dict[float, list[int | None]]] = {"churn": {}}
    for more, rows in given.items():
        found["churn"][more] = [detector.update_errors(detector.start(), row.astype(float)).alarmed_at for row in rows]
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if peers and uv is None:
        print("river was not run: there is no uv to fetch it")
    if peers and uv is not None:
        work.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {str(more): rows[:RIVER_STREAMS] for more, rows in given.items()}
        np.savez_compressed(work / "streams.npz", **arrays)
        command = [uv, "run", "--no-project", "--with", RIVER, "python", str(SCRIPT), str(work / "streams.npz")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1_800)
        if done.returncode == 0:
            found |= {who: {float(m): at for m, at in rows.items()} for who, rows in json.loads(done.stdout).items()}
        else:
            print(f"river could not be run: {done.stderr.strip().splitlines()[-1:]}")
    return [_figures(who, rows) for who, rows in found.items()]


def _figures(who: str, rows: dict[float, list[int | None]]) -> dict[str, Any]:
    count = len(rows[0.0])

    def median(at: list[int | None]) -> float | None:
        heard = [HORIZON + 1 if place is None else place for place in at]
        return float(np.median(heard)) if np.median(heard) <= HORIZON else None

    alarms = sum(place is not None for place in rows[0.0])
    figures: dict[str, Any] = {"detector": who, "streams": count, "false_alarms": alarms / count}
    for more in MORE[1:]:
        points = f"+{round(100 * more)}"
        figures |= {f"median {points}": median(rows[more]), f"missed {points}": sum(p is None for p in rows[more]) / count}
    return figures
