"""What the dashboards show: every panel is a question, the queries that answer it, and the unit of the answer."""

from __future__ import annotations

from monitoring.dashboards.campaigns import CAMPAIGNS
from monitoring.dashboards.drift import DRIFT
from monitoring.dashboards.model import MODEL
from monitoring.dashboards.pipelines import PIPELINES
from monitoring.dashboards.question import Row
from monitoring.dashboards.service import SERVICE

BOARDS: dict[str, tuple[str, tuple[Row, ...]]] = {
    "service": ("How requests are answered: golden signals, objectives, the model in service, the log.", SERVICE),
    "model": ("What is answered, and how good it is: realized, estimated, and when it was trained.", MODEL),
    "drift": ("How far customers and outcomes are from what the model was trained on, and what was done about it.", DRIFT),
    "campaigns": ("Whom campaigns acted on, whom they left alone, and what that brought.", CAMPAIGNS),
    "pipelines": ("Whether the flows run, how long they take, how old model and data are.", PIPELINES),
}
