"""The year with a campaign each month: whom a strategy's model names is called, and outcomes are those that follow.

Each strategy lives in a base of its own, since whom it calls changes who is there. Ours is there three times: told of contacts
and with a control group; as it was before, with neither; and in the same year without any campaign. The oracle is there twice:
it calls whom it likes, or leaves our control group alone.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.year.baselines import Strategy
from benchmarks.year.fixture import YEAR, Fixture
from benchmarks.year.log import customer_ids
from benchmarks.year.ours import Ours
from benchmarks.year.results import Account, YearResult
from benchmarks.year.training import Trainer, expected_log_loss
from benchmarks.year.year import BASELINES, ORACLE, OURS
from churn.campaigns.control_group import ControlGroup
from churn.campaigns.effect import SCORE_STEPS, estimate_effect
from churn.config.params import ProfitParams
from churn.evaluation.profit import break_even
from churn.modeling.model import Model
from churn.simulation.treatment import Reaction, TreatedBase, TreatedMonth

UNTOLD, NO_CAMPAIGN = "ours, contacts unknown", "ours, no campaigns"
# What knowing costs at least: nobody who holds a tenth out can earn more.
FAIR_ORACLE = "oracle, a tenth held out"
CAMPAIGN_STRATEGIES = (*BASELINES, UNTOLD, OURS, NO_CAMPAIGN, ORACLE, FAIR_ORACLE)
CAMPAIGN_SCENARIOS = ("calm", "price-rise")
# Three of ten who would leave stay if called; of a few who would not, a fifth leaves for it.
REACTION = Reaction(acceptance=0.3, spread=0.5, sleeping_dogs=0.05, harm=0.2)
CONTROL_SHARE = 0.1


def run_campaign_scenario(
    scenario: str,
    seed: int,
    customers: int,
    trainer: Trainer,
    *,
    names: tuple[str, ...] = CAMPAIGN_STRATEGIES,
    months: int = YEAR,
) -> YearResult:
    """Live through one scenario, with a campaign each month.

    Parameters
    ----------
    scenario : str
        Of `telecom_scenarios`.
    seed : int
    customers : int
        Size of the base.
    trainer : Trainer
    names : tuple of str
        Of `CAMPAIGN_STRATEGIES`; all, but for a short form.
    months : int
        Of the year, from its beginning.
    """
    began = time.process_time()
    fixture = Fixture.of(scenario, seed, customers, trainer.contract)
    trainer.forget_answers()
    accounts: dict[str, Account] = {}
    for name in names:
        with ExitStack() as stack:
            accounts[name] = _live(name, fixture.fork(), trainer, stack, months)
    return YearResult(scenario, seed, customers, fixture.event, accounts, round(time.process_time() - began, 1))


def _live(name: str, fixture: Fixture, trainer: Trainer, stack: ExitStack, months: int) -> Account:
    """Let one strategy live through its year."""
    base = TreatedBase(fixture.seed, REACTION)
    strategy = None if name in (ORACLE, FAIR_ORACLE) else _strategy(name, fixture, trainer, stack)
    account = Account() if strategy is None else strategy.account
    treated: list[TreatedMonth] = []
    model: Model | None = None
    for number in range(months):
        fixture.months[number] = month = base.named(fixture.months[number])
        if strategy is None:
            said, threshold = month.probability, break_even(trainer.params.profit)
        else:
            model = strategy.serve(number)
            said, threshold = trainer.ask(model, month), model.info.threshold
        contacted = np.asarray(said >= threshold)
        if isinstance(strategy, Ours):
            contacted = contacted & ~strategy.held_out
        if name == FAIR_ORACLE:
            contacted = contacted & ~ControlGroup(CONTROL_SHARE).among(customer_ids(month), contacted)
        if name == NO_CAMPAIGN:
            contacted = np.zeros_like(contacted)
        if isinstance(strategy, Ours) and name == OURS:
            strategy.report_contacts(number, contacted)
        treated.append(base.contact(month, contacted))
        fixture.months[number] = treated[-1].month
        account.log_loss.append(expected_log_loss(month.probability, said))
        account.profit.append(campaign_profit(treated[-1], trainer.params.profit))
    if model is not None:
        clean = fixture.clean(months - 1)
        account.clean_log_loss = expected_log_loss(clean.probability, trainer.ask(model, clean))
    if isinstance(strategy, Ours) and name == OURS:
        # Of the last month no outcome is known yet.
        account.saved = [_saved(strategy, number, treated[number]) for number in range(months - 1)]
    return account


def _strategy(name: str, fixture: Fixture, trainer: Trainer, stack: ExitStack) -> Strategy:
    if name in BASELINES:
        return BASELINES[name](fixture, trainer)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="churn-year-")))
    return stack.enter_context(Ours(fixture, trainer, folder, control_share=CONTROL_SHARE if name == OURS else 0.0))


def _saved(ours: Ours, number: int, treated: TreatedMonth) -> tuple[float, float, float, int]:
    """Return what we say of a campaign, with its interval, and what is true; an interval without bounds if nothing is said."""
    counts = ours.store.count_campaign(ours.campaign(number), SCORE_STEPS)
    effect = None if counts is None else estimate_effect(counts.customers, counts.left)
    truth = int(treated.saved.sum()) - int(treated.driven_away.sum())
    if effect is None:
        return 0.0, -1e9, 1e9, truth
    return effect.saved.value, effect.saved.low, effect.saved.high, truth


def campaign_profit(treated: TreatedMonth, params: ProfitParams) -> float:
    """Return what a month's campaign brings per customer of the base, on average over what may come true.

    Parameters
    ----------
    treated : TreatedMonth
    params : ProfitParams
    """
    p, accepts, harm = treated.month.probability, treated.acceptance, treated.harm
    stays = p * accepts + (1 - p) * (1 - harm)
    gain = (p * accepts - (1 - p) * harm) * params.customer_value - params.cost_of_contact - stays * params.cost_of_offer
    return float(np.where(treated.contacted, gain, 0.0).mean())
