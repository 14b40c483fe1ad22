"""One scenario, one seed: all strategies live through the same year."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.year.baselines import Baseline, EveryMonth, OnAccuracy, OnEvidentlyDrift, Strategy
from benchmarks.year.fixture import Fixture
from benchmarks.year.ours import Ours
from benchmarks.year.results import Account, YearResult, append_result
from benchmarks.year.training import Trainer, expected_log_loss, expected_profit
from churn.contract import load_contract
from churn.evaluation.profit import break_even
from churn.simulation.life import Month

OURS, ORACLE, NEVER = "ours", "oracle", "never retrain"
BASELINES: dict[str, type[Baseline]] = {
    NEVER: Baseline,
    "every month, no gate": EveryMonth,
    "Evidently's drift": OnEvidentlyDrift,
    "accuracy, 2 of 5": OnAccuracy,
}
STRATEGIES = (*BASELINES, OURS, ORACLE)
Live = Callable[[str, int, int, Trainer], YearResult]


def run_seed(live: Live, scenarios: tuple[str, ...], seed: int, customers: int, lines: Path) -> None:
    """Live through several scenarios of one seed, which share what is the same in them.

    Parameters
    ----------
    live : callable
        `run_scenario`, or `benchmarks.year.campaign.run_campaign_scenario`.
    scenarios : tuple of str
        Of `telecom_scenarios`.
    seed : int
    customers : int
        Size of the base.
    lines : Path
        Each scenario's result is added to this file as soon as it is there.
    """
    trainer = Trainer(load_contract())
    for scenario in scenarios:
        append_result(lines, live(scenario, seed, customers, trainer))


def run_scenario(scenario: str, seed: int, customers: int, trainer: Trainer) -> YearResult:
    """Live through one scenario.

    Parameters
    ----------
    scenario : str
        Of `telecom_scenarios`.
    seed : int
    customers : int
        Size of the base.
    trainer : Trainer
        What it trained before, under the same seed, is not trained again.
    """
    began = time.process_time()
    fixture = Fixture.of(scenario, seed, customers, trainer.contract)
    trainer.forget_answers()
    with tempfile.TemporaryDirectory(prefix="churn-year-") as folder, Ours(fixture, trainer, Path(folder)) as ours:
        strategies: dict[str, Strategy] = {name: kind(fixture, trainer) for name, kind in BASELINES.items()}
        strategies[OURS] = ours
        oracle = Account()
        for number, month in enumerate(fixture.months):
            _score_oracle(oracle, month, trainer)
            for strategy in strategies.values():
                model = strategy.serve(number)
                said = trainer.ask(model, month)
                strategy.account.log_loss.append(expected_log_loss(month.probability, said))
                strategy.account.profit.append(expected_profit(month.probability, said, model.info.threshold, trainer.params))
        accounts = {name: strategy.account for name, strategy in strategies.items()} | {ORACLE: oracle}
    return YearResult(scenario, seed, customers, fixture.event, accounts, round(time.process_time() - began, 1))


def _score_oracle(account: Account, month: Month, trainer: Trainer) -> None:
    """Account for an oracle, who knows each customer's true probability at once: more than any model can learn from labels."""
    truth = month.probability
    account.log_loss.append(expected_log_loss(truth, truth))
    account.profit.append(expected_profit(truth, truth, break_even(trainer.params.profit), trainer.params))
