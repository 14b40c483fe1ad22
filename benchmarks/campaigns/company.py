"""A company that calls everybody whom its model names, but for the control group, and keeps some of those who would have left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from churn.campaigns.control_group import ControlGroup
from churn.config.params import EvaluationParams, GateParams, ModelParams, Params, TuningParams
from churn.config.settings import Settings
from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.evaluation.statistics import log_losses
from churn.ids import new_id
from churn.lifecycle.gate import decide
from churn.lifecycle.judges import judges_of
from churn.lifecycle.mature_traffic import read_mature_traffic
from churn.modeling.model import Model
from churn.modeling.training import train
from churn.modeling.training_set import assemble
from churn.simulation.simulate import simulate
from churn.store.contacts.records import Contact
from churn.store.records import Outcome, Prediction
from churn.store.store import Store
from monitoring.monitor import record_run, run_monitor
from monitoring.reference import Reference

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
KEPT, SHARE = 0.3, 0.1
PARAMS = Params(
    model=ModelParams(form="terms"),
    tuning=TuningParams(folds=3, grid={"logreg__C": [0.1]}),
    gate=GateParams(resamples=500),
    evaluation=EvaluationParams(resamples=100),
)


@dataclass(frozen=True)
class Company:
    """A company with a model in service.

    Attributes
    ----------
    file : Dataset
        The labelled customers that it began with.
    reference : Reference
        Of its model.
    """

    contract: Contract
    file: Dataset
    champion: Model
    reference: Reference
    params: Params = PARAMS

    @classmethod
    def found(cls, contract: Contract, seed: int, rows: int = 4_000, params: Params = PARAMS) -> Company:
        """Train the first model.

        Parameters
        ----------
        contract : Contract
        seed : int
        rows : int
            Labelled customers.
        params : Params

        Returns
        -------
        Company
        """
        file = simulate(contract, rows, seed)
        trained = train(assemble(file, None, contract, params), contract, params, name="churn", trigger="first model")
        return cls(contract, file, trained.model, Reference.of(trained.reference, contract), params)

    def ask(self, store: Store, rows: int, seed: int, *, calls: bool, recorded: bool = True, share: float = SHARE) -> None:
        """Ask about new customers, call those whom the model names, and learn thirty days later who left.

        Parameters
        ----------
        store : Store
        rows, seed : int
            How many customers, and which.
        calls : bool
            Whether anybody is called.
        recorded : bool
            Whether the store is told of it.
        share : float
            Of the control group, in [0, 1).
        """
        people = simulate(self.contract, rows, seed)
        names = [f"{seed}-{n}" for n in range(rows)]
        p = self.champion.predict_probability(people.features)
        named = p >= self.champion.info.threshold
        held_out = ControlGroup(share).among(names, named)
        called = named & ~held_out & calls
        stays = called & (np.random.default_rng(seed).random(rows) < KEPT)
        left = (people.labelled.to_numpy() == 1) & ~stays
        ids = [new_id() for _ in names]
        records = people.features.replace({np.nan: None}).to_dict("records")
        customers = [{str(name): value for name, value in one.items()} for one in records]
        at = self.champion.info.threshold
        store.write_predictions(
            [
                Prediction(ids[n], names[n], START, "1", float(p[n]), at, bool(named[n]), customers[n], bool(held_out[n]))
                for n in range(rows)
            ]
        )
        store.write_outcomes([Outcome(bool(left[n]), START + 30 * DAY, ids[n]) for n in range(rows)])
        if recorded:
            store.write_contacts([Contact(START + DAY, customer_id=names[n], campaign="all") for n in np.flatnonzero(called)])

    def judged(self, store: Store, settings: Settings) -> bool:
        """Let the monitor judge what is new, and return whether outcomes alarm."""
        run = run_monitor(store, self.contract, settings, "1", self.reference, now=START + 31 * DAY)
        record_run(store, run)
        return run.result.concept_alarm

    def retrain(self, store: Store) -> tuple[bool, float, float]:
        """Train a challenger on what is known.

        Returns
        -------
        promoted : bool
        before, after : float
            Log loss of champion and challenger on 20,000 customers whom nobody called.
        """
        traffic = read_mature_traffic(store, self.contract, 0.0, newest=200_000, now=START + 31 * DAY)
        known = assemble(self.file, traffic.rows, self.contract, self.params)
        trained = train(known, self.contract, self.params, name="churn", trigger="drift")
        model, judges = trained.model, judges_of(known.fresh, trained.learned, self.params.gate)
        promoted = decide(model, self.champion, judges, self.params, self.contract, serving=None).promote
        clean = simulate(self.contract, 20_000, seed=99_999)
        y = clean.labelled.to_numpy()
        losses = [float(log_losses(y, one.predict_probability(clean.features)).mean()) for one in (self.champion, model)]
        return promoted, losses[0], losses[1]


def opened(folder: Path, name: str) -> Store:
    """Return an empty store in a file of a folder."""
    return Store.open(f"sqlite:///{folder / name}.db")
