"""The loop of this project for a year: its store, monitor, policy, training and gate, told the time by the simulation."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from benchmarks.year.baselines import promotion
from benchmarks.year.fixture import DAYS_OF_MONTH, HOUR, Fixture, moment
from benchmarks.year.log import customer_ids, write_outcomes, write_scores
from benchmarks.year.results import Account
from benchmarks.year.training import Trainer
from churn.campaigns.control_group import ControlGroup
from churn.config.settings import Settings, load_settings
from churn.lifecycle.gate import decide
from churn.lifecycle.judges import judges_of
from churn.lifecycle.mature_traffic import read_mature_traffic
from churn.modeling.model import Model
from churn.modeling.training import Trained
from churn.modeling.training_set import assemble
from churn.store.contacts.records import Contact
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from monitoring.monitor import record_run, run_monitor
from monitoring.reference import Reference

# A cohort counts when all of it could be known.
MATURITY = timedelta(days=30)
# Nights on which the monitor runs. On the others it would find nothing new: no cohort grows mature, nobody is scored.
JUDGED_NIGHTS = (15, 30)
# Of predictions with outcomes, a gate's and a training's together: the newest three months.
MAX_TRAINING_MONTHS = 3
MINUTE = timedelta(minutes=1)


def settings_of(folder: Path, customers: int, control_share: float) -> Settings:
    """Return the settings of the loop; all that are not named are the defaults.

    Parameters
    ----------
    folder : Path
        For the store.
    customers : int
        Size of the base.
    control_share : float
        Of the customers, in [0, 1): whom no campaign contacts.
    """
    return load_settings(
        home=folder,
        store_url=f"sqlite:///{folder / 'store.db'}",
        control_share=control_share,
        label_maturity_seconds=MATURITY.total_seconds(),
        max_training_rows=max(100, MAX_TRAINING_MONTHS * customers),
    )


class Ours(AbstractContextManager["Ours"]):
    """The loop under one scenario.

    Parameters
    ----------
    fixture : Fixture
    trainer : Trainer
    folder : Path
        An empty one, for the store.
    control_share : float
        Of the customers; 0 where there are no campaigns.

    Attributes
    ----------
    held_out : numpy.ndarray of bool
        Whom the newest month's campaign is to leave alone of those whom the model names.
    """

    def __init__(self, fixture: Fixture, trainer: Trainer, folder: Path, *, control_share: float = 0.0) -> None:
        self.fixture, self.trainer = fixture, trainer
        self.settings = settings_of(folder, fixture.customers, control_share)
        self._control = ControlGroup(control_share)
        self.held_out = np.zeros(fixture.customers, dtype=bool)
        self.store = Store.open(self.settings.store_url)
        self.account = Account()
        self._versions = 0
        first = trainer.train(assemble(fixture.file, None, fixture.contract, trainer.params), "first model")
        self.champion, self.reference = self._register(first)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the store."""
        self.store.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def serve(self, month: int) -> Model:
        """See `benchmarks.year.baselines.Strategy`."""
        if month > 0:
            for day in range(1, DAYS_OF_MONTH):
                self._night(month - 1, day)
        now, base = moment(month), self.fixture.months[month]
        said = self.trainer.ask(self.champion, base)
        self.held_out = self._control.among(customer_ids(base), said >= self.champion.info.threshold)
        write_scores(self.store, base, self.champion, said, self.held_out, now)
        self._monitor(month, 0, now)
        return self.champion

    def report_contacts(self, month: int, contacted: np.ndarray) -> None:
        """Tell the store whom the month's campaign contacted, two hours after they were scored.

        Parameters
        ----------
        month : int
        contacted : array of bool, shape (n,)
        """
        ids, at = customer_ids(self.fixture.months[month]), moment(month) + 2 * HOUR
        name = self.campaign(month)
        self.store.write_contacts([Contact(at, customer_id=ids[place], campaign=name) for place in np.flatnonzero(contacted)])

    @staticmethod
    def campaign(month: int) -> str:
        """Return the name of a month's campaign."""
        return f"month {month + 1:02}"

    def _night(self, month: int, day: int) -> None:
        now = moment(month, day)
        write_outcomes(self.store, self.fixture.months[month], day, now)
        if day in JUDGED_NIGHTS and self._monitor(month, day, now) == DecisionAction.RETRAIN:
            self._retrain("drift", month, day, now + HOUR)

    def _monitor(self, month: int, day: int, now: datetime) -> DecisionAction:
        run = run_monitor(
            self.store,
            self.fixture.contract,
            self.settings,
            str(self.champion.info.version),
            self.reference,
            now=now + HOUR,
            campaign=self.trainer.params.profit,
        )
        if not record_run(self.store, run):
            return DecisionAction.NONE
        today, account = DAYS_OF_MONTH * month + day, self.account
        account.runs.append(today)
        if run.result.covariate_alarm:
            account.covariate_alarms.append(today)
        if run.result.concept_alarm:
            account.concept_alarms.append(today)
        if run.decision.action != DecisionAction.NONE:
            account.notes.append(f"{today}: {run.decision.action}: {run.decision.reason}")
        return run.decision.action

    def _retrain(self, trigger: str, month: int, day: int, now: datetime) -> None:
        contract, params = self.fixture.contract, self.trainer.params
        maturity, newest = self.settings.label_maturity_seconds, self.settings.max_training_rows
        traffic = read_mature_traffic(self.store, contract, maturity, newest=newest, now=now)
        training_set = assemble(self.fixture.file, traffic.rows, contract, params)
        trained = self.trainer.train(training_set, trigger)
        today = DAYS_OF_MONTH * month + day
        self.account.trainings.append(today)
        judges = judges_of(training_set.fresh, trained.learned, params.gate)
        verdict = decide(trained.model, self.champion, judges, params, contract, serving=None)
        self.account.notes.append(f"{today}: gate: {'passed' if verdict.promote else 'rejected'}: {verdict.reason}")
        before = self.champion
        model, reference = self._register(trained)
        version = str(model.info.version)
        if verdict.promote:
            self.champion, self.reference = model, reference
            # On the last day of the year nobody is scored any more.
            if month + 1 < len(self.fixture.months):
                found = promotion(self.fixture, self.trainer, month + 1, before, model, trigger)
                found.day = today
                self.account.promotions.append(found)
            self._record(DecisionKind.PROMOTION, DecisionAction.PROMOTED, verdict.reason, version, now + MINUTE)
        ended = DecisionAction.PROMOTED if verdict.promote else DecisionAction.REJECTED
        self._record(DecisionKind.RETRAIN, ended, verdict.reason, version, now + 2 * MINUTE)

    def _record(self, kind: DecisionKind, action: DecisionAction, reason: str, version: str, at: datetime) -> None:
        self.store.write_decision(Decision(kind, action, "gate", reason, version, decided_at=at))

    def _register(self, trained: Trained) -> tuple[Model, Reference]:
        self._versions += 1
        info = trained.model.info.model_copy(update={"version": str(self._versions)})
        return replace(trained.model, info=info), Reference.of(trained.reference, self.fixture.contract)
