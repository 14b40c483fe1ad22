"""The panel of the page that shows the model in service."""

from __future__ import annotations

from html import escape

from churn.modeling.model_info import ModelInfo
from service.scoring.served_model import ServedModel

# The most important scores, and their names for people. The card has all of them.
SCORES = {
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "brier": "Brier score",
    "log_loss": "Log loss",
    "ece": "Calibration error",
    "precision": "Precision",
    "recall": "Recall",
    "top_decile_lift": "Lift of the top tenth",
}
FROM = {"registry": "the registry", "disk": "disk: the last known good model, since the registry is away"}
PATHS = {"compiled": "the compiled model", "pipeline": "its pipeline"}


def render_model(served: ServedModel, *, link: bool) -> str:
    """Render the panel.

    Parameters
    ----------
    served : ServedModel
    link : bool
        Whether to link to the model card, which a browser can open only without keys.

    Returns
    -------
    str
        HTML.
    """
    info = served.info
    facts = [
        ("Trained", f"{_moment(info.trained_at)} ({escape(info.trigger)})"),
        ("On", f"{info.rows:,} customers of {escape(info.data_source)}"),
        ("Threshold", f"{info.threshold:.1%}: from there on a customer counts as leaving"),
        ("Loaded", f"{_moment(served.loaded_at)} from {FROM[served.loaded_from]}"),
        ("Scored by", PATHS[served.path]),
    ]
    warning = "<p class=warning>Trained on simulated customers: nobody in its data exists.</p>" if info.simulated else ""
    card = ""
    if served.card:
        raw = '<p><a href="model/card">The card as Markdown</a></p>' if link else ""
        card = (
            f"<details><summary>Model card</summary>{raw}"
            f'<pre class=card tabindex=0 role=region aria-label="Model card">{escape(served.card)}</pre></details>'
        )
    return (
        f"<p class=version><b>{escape(info.name)}</b> version <b data-version>{escape(info.version)}</b></p>{warning}"
        f"<dl>{''.join(f'<dt>{name}</dt><dd>{text}</dd>' for name, text in facts)}</dl>{_scores(info)}{card}"
    )


def _scores(info: ModelInfo) -> str:
    rows = "".join(
        f"<tr><th scope=row>{text}</th><td>{info.metrics[name]:.3g}</td><td>{_interval(info, name)}</td></tr>"
        for name, text in SCORES.items()
        if name in info.metrics
    )
    return f"<table><caption>On customers it was not trained on</caption>{rows}</table>" if rows else ""


def _interval(info: ModelInfo, name: str) -> str:
    low, high = info.metrics.get(f"{name}_low"), info.metrics.get(f"{name}_high")
    return "" if low is None or high is None else f"{low:.3g} to {high:.3g}"


def _moment(at: object) -> str:
    text = f"{at:%Y-%m-%d %H:%M} UTC"
    return f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{text}</time>'
