"""A campaign's report as lines for people, as a page, and as a run of MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from churn.campaigns.effect import Interval
    from churn.campaigns.report import CampaignReport
    from churn.config.params import ProfitParams
    from churn.config.settings import Settings


def report_lines(found: CampaignReport) -> Iterator[str]:
    """Yield what is to be said of a campaign, a line each."""
    yield f"campaign {found.name or '(no name)'}"
    yield f"  named by the model   {found.named:,}, of whom {found.contacted:,} were contacted"
    leaked = f", of whom {found.leaked:,} were contacted all the same" if found.leaked else ""
    yield f"  held out             {found.held_out:,}{leaked}"
    if found.waiting:
        yield f"  no outcome yet       {found.waiting:,}"
    if found.beyond:
        yield f"  other scores         {found.beyond:,} (not compared: the campaign contacted nobody with such a score)"
    if found.not_named:
        yield f"  contacted, not named {found.not_named:,} (not compared)"
    if found.other_campaigns:
        also = "what it brought to those who are compared is in the figures below"
        yield f"  in another campaign  {found.other_campaigns:,}: {also}"
    if found.effect is None:
        yield f"what it brought is not known: {found.unknown}"
        return
    effect = found.effect
    without = f"{effect.held_out_left:,} of {effect.held_out:,}"
    yield f"  left                 {effect.contacted_left:,} of {effect.contacted:,}; held out: {without}"
    yield f"  saved                {_shown(effect.saved, ',.0f')} customers ({effect.confidence:.0%} interval)"
    if found.money is not None:
        yield f"  profit               {_shown(found.money, ',.0f')} {found.currency}"
    if effect.acceptance is not None:
        yield f"  acceptance           {_shown(effect.acceptance, '.2f')} (params.yaml: profit.acceptance)"
    if found.break_even is not None:
        yield f"  a contact then pays above a probability of {found.break_even:.2f}"


def _shown(one: Interval, form: str) -> str:
    return f"{one.value:{form}} [{one.low:{form}}, {one.high:{form}}]"


def log_report(found: CampaignReport, profit: ProfitParams, settings: Settings) -> dict[str, str]:
    """Write a report's page and log it to MLflow; the same report is logged once.

    Parameters
    ----------
    found : CampaignReport
    profit : ProfitParams
        What was assumed.
    settings : Settings

    Returns
    -------
    dict of str to str
        Where they are.

    Raises
    ------
    RegistryError
        If MLflow is away; the page is there all the same.
    """
    from churn.clock import now
    from churn.registry.registry import Registry
    from monitoring.reports.campaign_page import campaign_page_path, render_campaign
    from monitoring.reports.page import write_page
    from pipelines.environment import prepare_environment

    page, path = render_campaign(found, profit, now()), campaign_page_path(settings, found.name)
    write_page(path, page)
    prepare_environment(settings)
    files = {"campaign.html": page, "report.json": found.to_document()}
    run = Registry(settings).log_campaign(found.name, found.metrics(), profit.model_dump(), files)
    return {"page": str(path), "mlflow_run": run}
