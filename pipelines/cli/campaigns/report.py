"""A campaign's report as lines for people, as a page, and as a run of MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from churn.one_line import one_line

if TYPE_CHECKING:
    from churn.campaigns.effect import Interval
    from churn.campaigns.report import CampaignReport
    from churn.config.params import ProfitParams
    from churn.config.settings import Settings
    from churn.store.store import Store


def report_lines(found: CampaignReport) -> Iterator[str]:
    """Yield what is to be said of a campaign, a line each."""
    yield f"campaign {found.name or '(no name)'}"
    yield f"  named by the model   {found.named:,}, of whom {found.contacted:,} were contacted"
    leaked = f", of whom {found.leaked:,} were contacted all the same" if found.leaked else ""
    yield f"  held out             {found.held_out:,}{leaked}"
    if found.waiting:
        yield f"  no outcome yet       {found.waiting:,} (or too young to count)"
    if found.beyond:
        yield f"  other scores         {found.beyond:,} (not compared: the campaign contacted nobody with such a score)"
    if found.not_named:
        yield f"  contacted, not named {found.not_named:,} (not compared)"
    if found.other_campaigns:
        also = "what it brought to those who are compared is in the figures below"
        yield f"  in another campaign  {found.other_campaigns:,}: {also}"
    if found.effect is None:
        yield f"what it brought is not known: {found.unknown}"
        yield from _segment_lines(found)
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
    yield from _segment_lines(found)


def _segment_lines(found: CampaignReport) -> Iterator[str]:
    from churn.campaigns.effect import MIN_HELD_OUT

    if not found.segments:
        yield f"  by segment           not known: {found.segments_of}"
        return
    told = [one.effect for one in found.segments if one.effect is not None]
    held = f"; these {len(told)} intervals hold together in 95 %, so each is wider" if len(told) > 1 else ""
    held += f"; fewer than {MIN_HELD_OUT} outcomes of a side are too few" if len(told) < len(found.segments) else ""
    yield f"  by segment           of version {found.segments_of}{held}"
    for one in found.segments:
        yield f"    {one.segment}: {one.contacted:,} of {one.named:,} contacted, {one.held_out:,} held out"
        left = f"left {one.left:,} of {one.known:,}; held out: {one.held_out_left:,} of {one.held_out_known:,}"
        if one.effect is None:
            yield f"      {left}: too few to say what it brought"
        else:
            yield f"      {left}; saved {_shown(one.effect.saved, ',.0f')}"


def add_segments(report: CampaignReport, store: Store, settings: Settings, mature_until: datetime) -> CampaignReport:
    """Say in a report what the campaign brought to each segment, as the model tells them apart that named most of its customers.

    Parameters
    ----------
    report : CampaignReport
    store : Store
    settings : Settings
    mature_until : datetime
        As the report was counted.

    Returns
    -------
    CampaignReport
        With segments, or with why there are none.

    Raises
    ------
    StoreError
        If the store is away. A registry that is away is said in the report.
    """
    from churn.campaigns.by_segment import effects_by_segment
    from churn.campaigns.effect import SCORE_STEPS
    from churn.contract import load_contract
    from churn.errors import ChurnError, StoreError
    from pipelines.environment import prepare_environment
    from pipelines.planning import call_segmenter
    from pipelines.scoring import find_scorer

    versions = store.campaign_versions(report.name)
    if not versions:
        return replace(report, segments_of="no prediction of its customers is stored")
    try:
        prepare_environment(settings)
        segmenter = call_segmenter(find_scorer(settings, load_contract(settings.contract), versions[0]))
    except StoreError:
        raise
    except ChurnError as error:
        return replace(report, segments_of=f"version {versions[0]} cannot be loaded ({one_line(error)})")
    if segmenter is None:
        return replace(report, segments_of=f"version {versions[0]} knows no segments")

    def part_of(customers: Sequence[Mapping[str, Any]]) -> list[str]:
        columns = segmenter.segments.columns
        return [segmenter.name([features.get(name) for name in columns]) for features in customers]

    parts = store.count_campaign_parts(report.name, SCORE_STEPS, part_of, mature_until=mature_until)
    return replace(report, segments=tuple(effects_by_segment(parts)), segments_of=versions[0])


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
