"""What a campaign brought on one page, for who plans the next one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from churn.campaigns.effect import Interval
from churn.campaigns.report import CampaignReport
from churn.config.params import ProfitParams
from churn.config.settings import Settings
from monitoring.reports.page import render_page

WIDTH, MARGIN = 220.0, 8.0


@dataclass(frozen=True)
class _Verdict:
    """What is said first, and how it is coloured."""

    kind: str
    text: str


@dataclass(frozen=True)
class _Bar:
    """An estimate with its interval, drawn on a line."""

    name: str
    value: str
    low: str
    high: str
    left: float
    middle: float
    right: float
    zero: float


def campaign_page_path(settings: Settings, name: str) -> Path:
    """Return where the page of a campaign is.

    Parameters
    ----------
    settings : Settings
        Of them CHURN_HOME.
    name : str
        Any text: two campaigns have two files, whatever they are called.

    Returns
    -------
    Path
    """
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40]
    return settings.home / "reports" / f"campaign-{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.html"


def render_campaign(report: CampaignReport, profit: ProfitParams, at: datetime) -> str:
    """Render a campaign's report as one HTML page that needs nothing else; every text in it is escaped.

    Parameters
    ----------
    report : CampaignReport
    profit : ProfitParams
        What was assumed.
    at : datetime
        When it was made.

    Returns
    -------
    str
        Some 5 kB.
    """
    return render_page(
        "campaign.html.j2",
        report=report,
        profit=profit,
        at=at,
        title=report.name or "without a name",
        verdict=_verdict(report),
        bars=_bars(report, profit),
        number=_number,
    )


def _verdict(report: CampaignReport) -> _Verdict:
    if report.effect is None:
        return _Verdict("open", "NOT KNOWN")
    if report.effect.saved.low > 0:
        return _Verdict("good", "SAVED CUSTOMERS")
    if report.effect.saved.high < 0:
        return _Verdict("bad", "DROVE CUSTOMERS AWAY")
    return _Verdict("open", "MAY HAVE BROUGHT NOTHING")


def _bars(report: CampaignReport, profit: ProfitParams) -> list[_Bar]:
    if report.effect is None:
        return []
    bars = [_bar("customers saved", report.effect.saved, 0.0, ",.0f")]
    if report.money is not None:
        bars.append(_bar(f"profit, {report.currency}", report.money, 0.0, ",.0f"))
    if report.effect.acceptance is not None:
        bars.append(_bar("acceptance", report.effect.acceptance, profit.acceptance, ".2f"))
    return bars


def _bar(name: str, of: Interval, zero: float, form: str) -> _Bar:
    # An interval may have no end (nobody of the control group left, or nearly so): it is drawn to the margin.
    ends = [one for one in (of.value, of.low, of.high, zero) if abs(one) != float("inf")]
    least, most = min(ends), max(ends)

    def place(value: float) -> float:
        within = min(max(value, least), most)
        return round(MARGIN + (WIDTH - 2 * MARGIN) * ((within - least) / (most - least) if most > least else 0.5), 1)

    value, low, high = (format(one, form) for one in (of.value, of.low, of.high))
    return _Bar(name, value, low, high, place(of.low), place(of.value), place(of.high), place(zero))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
