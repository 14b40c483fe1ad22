"""A campaign's report as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from churn.campaigns.effect import Interval
    from churn.campaigns.report import CampaignReport


def report_lines(found: CampaignReport) -> Iterator[str]:
    """Yield what is to be said of a campaign, a line each."""
    yield f"campaign {found.name or '(no name)'}"
    yield f"  named by the model   {found.named:,}, of whom {found.contacted:,} were contacted"
    leaked = f", of whom {found.leaked:,} were contacted all the same" if found.leaked else ""
    yield f"  held out             {found.held_out:,}{leaked}"
    if found.waiting:
        yield f"  no outcome yet       {found.waiting:,}"
    if found.not_named:
        yield f"  contacted, not named {found.not_named:,} (not compared)"
    if found.other_campaigns:
        yield f"  in another campaign  {found.other_campaigns:,}: what that brought is in the figures below"
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
