"""A question that a panel answers, and the parts that all boards share."""

from __future__ import annotations

from typing import Literal, NamedTuple

HERE = '{instance=~"$instance"}'


RATE = "[$__rate_interval]"


class Question(NamedTuple):
    """One panel.

    Attributes
    ----------
    queries : tuple of (str, str)
        PromQL, and how the legend names its series.
    unit : str
        One of Grafana's.
    limit : float or None
        Above it, a line is drawn red.
    """

    title: str
    says: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: Literal["timeseries", "stat", "heatmap"] = "timeseries"
    limit: float | None = None


Row = tuple[str, tuple[Question, ...]]


def _rate(metric: str, by: str = "", where: str = 'instance=~"$instance"') -> str:
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{where}}}{RATE}))"


def _quantile(q: float) -> str:
    where = 'instance=~"$instance", route="/predict"'
    return f"histogram_quantile({q}, {_rate('churn_http_request_duration_seconds_bucket', 'le', where)})"


def _by_source(title: str, metric: str, says: str, unit: str = "none") -> Question:
    return Question(title, says, unit, ((metric, "{{source}}"),))
