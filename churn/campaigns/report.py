"""The report of a campaign: whom it was about, what it brought, and what that says about the assumptions in params.yaml."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from scipy.stats import norm

from churn.campaigns.by_segment import SegmentEffect
from churn.campaigns.effect import Effect, Interval, estimate_effect
from churn.config.params import ProfitParams
from churn.errors import InputError
from churn.evaluation.profit import break_even
from churn.store.cohort import LEAVERS_ONLY
from churn.store.contacts.campaign_counter import CampaignCounts


@dataclass(frozen=True)
class CampaignReport:
    """What is known of a campaign.

    Attributes
    ----------
    named : int
        Customers whom the model named in the campaign's time, and who were not held out.
    contacted : int
        Those of them whom the campaign contacted.
    held_out : int
        Customers whom the model named, and who belong to the control group.
    leaked : int
        Those of them whom the campaign contacted all the same.
    waiting : int
        Of all of these, how many have no outcome that counts. They are in none of the estimates.
    not_named, other_campaigns, beyond : int
        See `churn.store.contacts.campaign_counter.CampaignCounts`, there `elsewhere` for other campaigns.
    effect : Effect or None
        What it brought; None if that cannot be known.
    money : Interval or None
        What it brought less what it cost, in `currency`.
    break_even : float or None
        The probability above which a contact pays, with the acceptance that was measured.
    unknown : str
        Why nothing can be said of the effect; empty if something can.
    segments : tuple of SegmentEffect
        What it brought to each segment of customers.
    segments_of : str
        The version of the model whose segments these are; or why there are none.
    """

    name: str
    named: int
    contacted: int
    held_out: int
    leaked: int
    waiting: int
    not_named: int
    other_campaigns: int
    beyond: int
    effect: Effect | None
    money: Interval | None
    break_even: float | None
    currency: str
    unknown: str
    segments: tuple[SegmentEffect, ...] = ()
    segments_of: str = ""

    def to_document(self) -> dict[str, Any]:
        """Return the report as a JSON document."""
        return asdict(self)

    def metrics(self) -> dict[str, float]:
        """Return its figures by name; what is not known, or has no end, is left out."""
        counts = ("named", "contacted", "held_out", "leaked", "waiting", "not_named", "other_campaigns", "beyond")
        found = {name: float(getattr(self, name)) for name in counts}
        effect = self.effect
        intervals: dict[str, Interval | None] = {"profit": self.money}
        if effect is not None:
            intervals |= {"saved": effect.saved, "acceptance": effect.acceptance}
        for name, one in intervals.items():
            if one is not None:
                found |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
        if self.break_even is not None:
            found["break_even"] = self.break_even
        return {name: value for name, value in found.items() if isfinite(value)}

    def measured_acceptance(self) -> float:
        """Return the acceptance as params.yaml may have it: a share, to three digits.

        Raises
        ------
        InputError
            If it is not known.
        """
        if self.effect is None:
            raise InputError(f"the acceptance of campaign {self.name!r} is not known: {self.unknown}")
        if self.effect.acceptance is None:
            raise InputError(f"the acceptance of campaign {self.name!r} is not known: nobody of the control group left")
        return round(min(max(self.effect.acceptance.value, 0.0), 1.0), 3)

    def acceptance_distribution(self) -> tuple[float, float] | None:
        """Return alpha and beta of the Beta distribution with the mean and the interval's spread of the acceptance.

        EMPC leaves the acceptance open by it. None where there is none: nothing is known, the acceptance is 0 or 1, or the
        interval is as wide as if nothing were.

        Examples
        --------
        >>> effect = Effect(900, 100, 0, 0, Interval(0, 0, 0), Interval(0.3, 0.1, 0.5), 1, 0.95, 100.0)
        >>> report = CampaignReport("may", 900, 900, 100, 0, 0, 0, 0, 0, effect, None, None, "USD", "")
        >>> report.acceptance_distribution()
        (5.75, 13.417)
        """
        if (effect := self.effect) is None or (one := effect.acceptance) is None:
            return None
        if not 0 < one.value < 1 or not isfinite(one.high - one.low):
            return None
        spread = (one.high - one.low) / (2 * float(norm.ppf((1 + effect.confidence) / 2)))
        size = one.value * (1 - one.value) / spread**2 - 1 if spread > 0 else 0.0
        return None if size <= 0 else (round(one.value * size, 3), round((1 - one.value) * size, 3))


def make_report(name: str, counts: CampaignCounts, profit: ProfitParams) -> CampaignReport:
    """Report what a campaign brought.

    Parameters
    ----------
    name : str
    counts : CampaignCounts
        By steps of `churn.campaigns.effect.SCORE_STEPS`.
    profit : ProfitParams
        What a contact costs and a customer who stays is worth.

    Returns
    -------
    CampaignReport
    """
    effect = estimate_effect(counts.customers, counts.left, counts.contacted_left)
    return CampaignReport(
        name=name,
        named=counts.named,
        contacted=counts.contacted,
        held_out=counts.held_out,
        leaked=counts.leaked,
        waiting=counts.waiting,
        not_named=counts.not_named,
        other_campaigns=counts.elsewhere,
        beyond=counts.beyond,
        effect=effect,
        # Whom it should not have contacted cost as much.
        money=None if effect is None else _money(effect.saved, counts.treated, counts.treated_stayed, profit),
        break_even=_break_even(effect, profit),
        currency=profit.currency,
        unknown="" if effect is not None else _why_unknown(counts),
    )


def _money(saved: Interval, contacts: int, stayed: int, profit: ProfitParams) -> Interval:
    """Return what the campaign brought less what it cost: each contact, and the offer to each who was contacted and stayed."""
    cost = contacts * profit.cost_of_contact + stayed * profit.cost_of_offer
    return Interval(*(one * profit.customer_value - cost for one in (saved.value, saved.low, saved.high)))


def _break_even(effect: Effect | None, profit: ProfitParams) -> float | None:
    if effect is None or effect.acceptance is None:
        return None
    acceptance = min(max(effect.acceptance.value, 0.0), 1.0)
    return break_even(profit.model_copy(update={"acceptance": acceptance}))


def _why_unknown(counts: CampaignCounts) -> str:
    flagged = counts.named + counts.held_out
    if not flagged:
        return "the model named nobody in the campaign's time: whom would its customers be compared with?"
    if not counts.held_out:
        return "nobody was held out: set CHURN_CONTROL_SHARE, so that the next campaign has a control group"
    if counts.waiting == flagged:
        return f"of outcomes: {LEAVERS_ONLY}" if counts.leavers_only else "no outcome counts yet"
    if not counts.contacted:
        return "the campaign contacted nobody of those whom the model named: with whom would its customers be compared?"
    if not counts.customers.size:
        return "no outcome is known yet of customers with the scores of those who were contacted"
    return "outcomes are known of one side only: of the contacted, or of those held out who have such scores"
