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
    description: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: Literal["timeseries", "stat", "heatmap"] = "timeseries"
    limit: float | None = None


Row = tuple[str, tuple[Question, ...]]


def rate_of(metric: str, by: str = "", where: str = 'instance=~"$instance"') -> str:
    """Return the PromQL of a counter's rate.

    Parameters
    ----------
    metric : str
        A counter.
    by : str
        Labels to keep; the others are summed over.
    where : str
        Label matchers.

    Returns
    -------
    str
        Per second.
    """
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{where}}}{RATE}))"


def quantile_of(q: float) -> str:
    """Return the PromQL of a quantile of /predict's latency."""
    where = 'instance=~"$instance", route="/predict"'
    return f"histogram_quantile({q}, {rate_of('churn_http_request_duration_seconds_bucket', 'le', where)})"


def by_source(title: str, metric: str, description: str, unit: str = "none") -> Question:
    """Return the panel of a measure of quality: realized, estimated, and when the model was trained.

    Parameters
    ----------
    title : str
        Of the panel.
    metric : str
        With the label `source`.
    description : str
        Of the panel.
    unit : str
        One of Grafana's.

    Returns
    -------
    Question
        One series for each source.
    """
    return Question(title, description, unit, ((metric, "{{source}}"),))
