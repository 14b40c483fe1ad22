"""A look on one page, for who is on call: what was decided, what moved and since when, how much it matters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from churn.atomic_write import atomic_write
from churn.store.records import Decision, DecisionAction, MonitorRun

STRIP = 30
MAX_MOVED = 25
LETTERS: dict[str, str] = {
    DecisionAction.NONE: "·",
    DecisionAction.WATCH: "W",
    DecisionAction.RETRAIN: "R",
    DecisionAction.PAGE: "P",
}
MEASURES = {
    "roc_auc": "ROC AUC (higher is better)",
    "pr_auc": "PR AUC (higher is better)",
    "brier": "Brier score (lower is better)",
    "log_loss": "Log loss, nats (lower is better)",
    "churn_rate": "Share that left",
    "mean_probability": "Share that the model expected",
    "profit": "Profit of a campaign, {currency} per customer (higher is better)",
}
# Change of the mean log-odds, and how a person would call it.
SIZES = ((0.02, "next to nothing"), (0.1, "a little"), (0.3, "clearly"))


def render_summary(run: MonitorRun, decision: Decision, earlier: Sequence[MonitorRun], *, false_alarm_rate: float) -> str:
    """Render a look as one HTML page that needs nothing else; every text in it is escaped.

    Parameters
    ----------
    earlier : sequence of MonitorRun
        Looks at the same model version before this one, newest first. Verdicts of older versions of this code may lack keys.

    Returns
    -------
    str
        Some 10 kB.
    """
    drift = run.verdict.get("drift") or {}
    drifted = [result for result in drift.get("results", []) if result.get("drifted")]
    ranked = sorted(drifted, key=lambda r: (-abs(r.get("impact") or 0.0), r.get("p_value", 1.0)))
    performance = run.verdict.get("performance") or {}
    sides = [side for side in ("window", "reference", "estimated") if performance.get(side)]
    concept = run.verdict.get("concept") or {}
    environment = Environment(
        loader=PackageLoader("monitoring"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("summary.html.j2").render(
        run=run,
        action=decision.action,
        reason=decision.reason,
        window={"from": None, "until": None, "waiting_labelled_rows": 0} | (run.verdict.get("window") or {}),
        judged=bool(drift),
        moved=[_row(result, run, earlier) for result in ranked if not result.get("note")][:MAX_MOVED],
        notes=[result for result in ranked if result.get("note")][:MAX_MOVED],
        sides=sides,
        quality=_quality(performance, sides) if performance.get("window") else [],
        estimated=performance.get("estimated"),
        currency=performance.get("currency"),
        tests=concept.get("tests", []),
        stream=concept.get("sequential"),
        strip=_strip(run, decision, earlier),
        rate=false_alarm_rate,
        moment=_moment,
        number=_number,
        probability=_probability,
    )


def write_summary(path: Path, page: str) -> None:
    """Write the page; it is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as staging:
        staging.write_text(page, encoding="utf-8")


def _row(result: dict[str, Any], run: MonitorRun, earlier: Sequence[MonitorRun]) -> dict[str, Any]:
    kept = {key: result.get(key) for key in ("feature", "other", "aspect", "measure", "reference", "current", "shift")}
    since = _since(result, run, earlier)
    return kept | {
        "matters": _matters(result.get("impact")),
        "since": "this look" if since is run else f"{_moment(since.started_at)}",
        "p": _probability(result.get("p_value", 1.0)),
    }


def _since(result: dict[str, Any], run: MonitorRun, earlier: Sequence[MonitorRun]) -> MonitorRun:
    """Find the first of the looks in a row that found the same; looks that judged no customers are passed over."""
    first = run
    for look in earlier:
        drift = look.verdict.get("drift")
        if not drift:
            continue
        keys = ("feature", "aspect", "other")
        if not any(r.get("drifted") and all(r.get(k) == result.get(k) for k in keys) for r in drift.get("results", [])):
            break
        first = look
    return first


def _matters(impact: float | None) -> str:
    if impact is None:
        return "not known"
    size = next((word for most, word in SIZES if abs(impact) < most), "a lot")
    direction = "" if size == SIZES[0][1] else (" more churn expected" if impact > 0 else " less churn expected")
    return f"{size}{',' if direction else ''}{direction} ({impact:+.2f} log-odds)"


def _quality(performance: dict[str, Any], sides: list[str]) -> list[dict[str, Any]]:
    gaps = performance.get("gaps") or []
    rows: list[dict[str, Any]] = [
        {
            "name": said.format(currency=performance.get("currency") or "money"),
            "values": [performance[side].get(key) for side in sides],
            "intervals": [(performance[side].get("intervals") or {}).get(key) for side in sides],
            "gap": key in gaps,
        }
        for key, said in MEASURES.items()
    ]
    return [row for row in rows if any(value is not None for value in row["values"])]


def _strip(run: MonitorRun, decision: Decision, earlier: Sequence[MonitorRun]) -> list[dict[str, Any]]:
    looks: list[tuple[datetime, str]] = [(run.started_at, decision.action)]
    looks += [
        (look.started_at, str((look.verdict.get("policy") or {}).get("action", DecisionAction.NONE)))
        for look in earlier[: STRIP - 1]
    ]
    return [{"at": at, "action": action, "letter": LETTERS.get(action, "?")} for at, action in reversed(looks)]


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.3g}" if abs(value) < 1000 else f"{value:{sign},.0f}"


def _probability(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"= {p:.4f}"
