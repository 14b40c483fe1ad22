"""What a campaign brought to each segment of customers: with intervals that hold together, or the word that they are too few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from churn.campaigns.effect import CONFIDENCE, MIN_HELD_OUT, Effect, estimate_effect
from churn.store.contacts.campaign_counter import CampaignCounts


@dataclass(frozen=True)
class SegmentEffect:
    """What a campaign brought to a segment.

    Attributes
    ----------
    segment : str
    named, held_out : int
        Customers whom the model named: those who were to be contacted, and those of the control group.
    contacted : int
        Of the named, how many the campaign contacted.
    known, held_out_known : int
        Of each side, those who are compared: their outcome is known, and their score is one that the campaign contacted.
    left, held_out_left : int
        How many of these left.
    effect : Effect or None
        None: too few are known of one side.
    """

    segment: str
    named: int
    held_out: int
    contacted: int
    known: int
    held_out_known: int
    left: int
    held_out_left: int
    effect: Effect | None


def effects_by_segment(parts: Mapping[str, CampaignCounts]) -> list[SegmentEffect]:
    """Estimate what a campaign brought to each segment.

    Parameters
    ----------
    parts : mapping of str to CampaignCounts
        By the name of the segment.

    Returns
    -------
    list of SegmentEffect
        The segment with most customers who were to be contacted first. Segments with fewer than `MIN_HELD_OUT` known customers of
        either side have no effect.

    Notes
    -----
    Bonferroni's correction: each of k intervals is one of confidence 1 - .05 / k, so that all hold at the same time with 95 %.
    Among many segments one that was neither harmed nor helped is so seldom taken for one that was.
    """
    enough = {name for name, one in parts.items() if one.customers.size and one.customers.sum(axis=1).min() >= MIN_HELD_OUT}
    each = 1 - (1 - CONFIDENCE) / max(1, len(enough))
    found = []
    for name, one in parts.items():
        known, left = (of.sum(axis=1).tolist() if of.size else [0, 0] for of in (one.customers, one.left))
        effect = estimate_effect(one.customers, one.left, one.contacted_left, confidence=each) if name in enough else None
        compared = (known[0], known[1], left[0], left[1])
        found.append(SegmentEffect(name, one.named, one.held_out, one.contacted, *compared, effect))
    return sorted(found, key=lambda one: (-one.named, one.segment))
