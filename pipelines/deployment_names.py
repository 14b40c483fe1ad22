"""What Prefect calls the deployments: flow/name. Apart, as who asks for them over HTTP need not import Prefect, which is slow."""

from __future__ import annotations

TRAIN, MONITOR, SCORE = "train/retrain", "monitor/run", "score/nightly"
