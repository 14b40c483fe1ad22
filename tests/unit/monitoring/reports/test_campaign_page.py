"""What a campaign brought, on a page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from math import inf

import pytest

from churn.campaigns.effect import Effect, Interval
from churn.campaigns.report import CampaignReport
from churn.config.params import ProfitParams
from churn.config.settings import Settings
from monitoring.reports import campaign_page
from monitoring.reports.campaign_page import campaign_page_path, render_campaign

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROFIT = ProfitParams()


def report(saved: Interval | None, name: str = "may", acceptance: Interval | None = None) -> CampaignReport:
    effect = saved and Effect(300, 100, 60, 40, saved, acceptance, 2, 0.95, 90.0)
    unknown = "" if saved else "no outcome is known yet"
    return CampaignReport(name, 310, 280, 102, 3, 12, 4, 5, 6, effect, saved, 0.12 if saved else None, "USD", unknown)


@pytest.mark.parametrize(
    ("saved", "kind", "words"),
    [
        (Interval(60, 20, 100), "good", "SAVED CUSTOMERS"),
        (Interval(-60, -100, -20), "bad", "DROVE CUSTOMERS AWAY"),
        (Interval(10, -20, 40), "open", "MAY HAVE BROUGHT NOTHING"),
        (None, "open", "NOT KNOWN"),
    ],
)
def test_the_verdict_is_the_intervals(saved: Interval | None, kind: str, words: str) -> None:
    page = render_campaign(report(saved), PROFIT, AT)
    assert f'<h1><span class="{kind}">{words}</span>' in page
    assert ("What it brought is not known: no outcome is known yet." in page) == (saved is None)
    for said in ("3 of the control group were contacted", "12 outcomes are still waited for", "Another campaign contacted 5"):
        assert said in page


def test_names_are_escaped_and_the_page_loads_nothing(tmp_path: object) -> None:
    page = render_campaign(report(Interval(60, 20, 100), "<script>alert(1)</script>"), PROFIT, AT)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(src|href)=|url\(|@import", page)
    HTMLParser().feed(page)


def test_bars_lie_on_their_line_even_without_an_end() -> None:
    page = render_campaign(report(Interval(60, 20, 100), acceptance=Interval(0.5, -inf, 0.9)), PROFIT, AT)
    places = [float(x) for x in re.findall(r'(?:x1|x2|cx)="([^"]+)"', page)]
    assert len(places) == 3 * 5
    assert all(0 <= x <= 220 for x in places)
    assert 'acceptance</td><td class="n">0.50' in page


def test_campaigns_have_files_of_their_own() -> None:
    settings = Settings()
    names = ["a b", "a-b", "../a/b", "", "ü", "x" * 128]
    paths = {campaign_page_path(settings, name) for name in names}
    assert len(paths) == len(names)
    assert {path.parent for path in paths} == {settings.home / "reports"}


@pytest.mark.parametrize(
    "saved", [Interval(0, 0, 0), Interval(0, -inf, inf), Interval(0, 0, inf), Interval(5, 5, 5), Interval(-3, -3, -3)]
)
def test_an_interval_without_width_or_end_is_drawn_within_the_picture(saved: Interval) -> None:
    page = render_campaign(report(saved), PROFIT, AT)
    places = [float(x) for x in re.findall(r'<(?:line|circle|rect)[^>]*? (?:x1|x2|cx|x)="([^"]+)"', page)]
    assert places
    assert all(0 <= place <= campaign_page.WIDTH for place in places)


def test_a_bar_shows_where_nothing_would_be() -> None:
    page = render_campaign(report(Interval(0, -100, 100)), PROFIT, AT)
    places = {float(x) for x in re.findall(r'(?:x1|x2|cx)="([^"]+)"', page)}
    middle = campaign_page.WIDTH / 2
    assert {campaign_page.MARGIN, middle, campaign_page.WIDTH - campaign_page.MARGIN} <= places
    assert not {x for x in places if 0 < abs(x - middle) < 1}
