"""One world, one seed: all scenarios live through the same year."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.year.baselines import Baseline, EveryMonth, OnAccuracy, OnEvidentlyDrift, Scenario
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
SCENARIOS = (*BASELINES, OURS, ORACLE)
Live = Callable[[str, int, int, Trainer], YearResult]


def run_seed(live: Live, worlds: tuple[str, ...], seed: int, customers: int, lines: Path) -> None:
    """Live through several worlds of one seed, which share what is the same in them.

    Parameters
    ----------
    live : callable
        `run_world`, or `benchmarks.year.campaign.run_campaign_world`.
    worlds : tuple of str
        Of `telecom_worlds`.
    seed : int
    customers : int
        Size of the base.
    lines : Path
        Each world's result is added to this file as soon as it is there.
    """
    trainer = Trainer(load_contract())
    for world in worlds:
        append_result(lines, live(world, seed, customers, trainer))


def run_world(world: str, seed: int, customers: int, trainer: Trainer) -> YearResult:
    """Live through one world.

    Parameters
    ----------
    world : str
        Of `telecom_worlds`.
    seed : int
    customers : int
        Size of the base.
    trainer : Trainer
        What it trained before, under the same seed, is not trained again.
    """
    began = time.process_time()
    fixture = Fixture.of(world, seed, customers, trainer.contract)
    trainer.forget_answers()
    with tempfile.TemporaryDirectory(prefix="churn-year-") as folder, Ours(fixture, trainer, Path(folder)) as ours:
        scenarios: dict[str, Scenario] = {name: kind(fixture, trainer) for name, kind in BASELINES.items()}
        scenarios[OURS] = ours
        oracle = Account()
        for number, month in enumerate(fixture.months):
            _score_oracle(oracle, month, trainer)
            for scenario in scenarios.values():
                model = scenario.serve(number)
                said = trainer.ask(model, month)
                scenario.account.log_loss.append(expected_log_loss(month.probability, said))
                scenario.account.profit.append(expected_profit(month.probability, said, model.info.threshold, trainer.params))
        accounts = {name: scenario.account for name, scenario in scenarios.items()} | {ORACLE: oracle}
    return YearResult(world, seed, customers, fixture.event, accounts, round(time.process_time() - began, 1))


def _score_oracle(account: Account, month: Month, trainer: Trainer) -> None:
    """Account for an oracle, who knows each customer's true probability at once: more than any model can learn from labels."""
    truth = month.probability
    account.log_loss.append(expected_log_loss(truth, truth))
    account.profit.append(expected_profit(truth, truth, break_even(trainer.params.profit), trainer.params))
