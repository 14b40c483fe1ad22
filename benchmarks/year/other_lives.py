"""The loop through lives other than the year's: `python -m benchmarks.year --life NAMES`; what alarms, trains, and takes over."""

from __future__ import annotations

import json
import resource
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from rich.table import Table

from benchmarks.year.fixture import FIRST, HOUR
from benchmarks.year.lives import HORIZON, LIVES, Base, Life, Scoring, labelled_file, scorings
from benchmarks.year.training import Trainer
from churn.campaigns.control_group import ControlGroup
from churn.config.settings import load_settings
from churn.contract import load_contract
from churn.lifecycle.gate import decide
from churn.lifecycle.judges import judges_of
from churn.lifecycle.mature_traffic import read_mature_traffic
from churn.modeling.model import Model
from churn.modeling.training import Trained
from churn.modeling.training_set import assemble
from churn.store.contacts.records import Contact
from churn.store.records import TIME_FORMAT, Decision, DecisionAction, DecisionKind, Outcome, PredictionRow
from churn.store.store import Store
from monitoring.monitor import record_run, run_monitor
from monitoring.reference import Reference

CLEAN = 2_000
# Of those who would leave, who stays if called.
ACCEPTANCE = 0.3
CORRECTED_AFTER = 10


@dataclass
class Lived:
    """What became of one life.

    Attributes
    ----------
    rise : int or None
        Day of the price rise.
    runs, outcome_runs : int
        Monitoring runs that judged customers, and outcomes.
    customer_alarms, outcome_alarms : list of int
        Days.
    trainings : list of int
        Days.
    promotions : list of (int, float)
        Day, and the new model's log loss on clean customers less the old one's: below 0 it is better.
    notes : list of str
        What the policy and the gate said.
    slowest : float
        Seconds of the slowest monitoring run.
    """

    life: str
    seed: int
    customers: int
    rise: int | None = None
    runs: int = 0
    outcome_runs: int = 0
    customer_alarms: list[int] = field(default_factory=list)
    outcome_alarms: list[int] = field(default_factory=list)
    trainings: list[int] = field(default_factory=list)
    promotions: list[tuple[int, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    slowest: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0


class Company:
    """One company: its base, its store, and the loop.

    Parameters
    ----------
    name : str
        Of `LIVES`.
    seed, customers : int
    rise : int or None
        Day of a price rise.
    trainer : Trainer
    folder : Path
        An empty one, for the store.
    """

    def __init__(self, name: str, seed: int, customers: int, rise: int | None, trainer: Trainer, folder: Path) -> None:
        self.life: Life = LIVES[name]
        self.trainer, self.contract = trainer, trainer.contract
        size = round(customers * self.life.size)
        self.told = Lived(name, seed, size, rise)
        self.scorings = {one.day: one for one in scorings(self.life, size)}
        places = 1 + max(int(one.places.max()) for one in self.scorings.values())
        make = partial(Base.of, self.contract, step=self.life.step, days=self.life.days, rise=rise)
        self.base, self.clean = make(places, seed=seed + 20_000), make(CLEAN, seed=seed + 30_000)
        self.rng = np.random.default_rng(seed)
        self.named = self.rng.random(places) < self.life.with_ids
        stated = self.life.maturity_days
        self.settings = load_settings(
            home=folder,
            store_url=f"sqlite:///{folder / 'store.db'}",
            control_share=self.life.control_share,
            max_training_rows=max(100, 3 * size * (HORIZON // self.life.every)),
            **({} if stated is None else {"label_maturity_seconds": stated * 86_400.0}),
        )
        self.control = ControlGroup(self.life.control_share)
        self.store = Store.open(self.settings.store_url)
        self.waiting: dict[int, list[Outcome]] = defaultdict(list)
        self.versions = 0
        # The same file for all seeds: what differs is what follows.
        self.file = labelled_file(trainer.contract, self.life)
        self.champion, self.reference = self._register(
            trainer.train(assemble(self.file, None, self.contract, trainer.params), "")
        )

    def live(self) -> Lived:
        """Live through all days."""
        for day in range(self.life.days):
            now = FIRST + timedelta(days=day)
            if told := self.waiting.pop(day, []):
                self.rng.shuffle(told)
                self.store.write_outcomes(told)
            if day in self.scorings:
                self._score(self.scorings[day], now)
            if self._monitor(day, now + HOUR) == DecisionAction.RETRAIN:
                self._retrain(day, now + 2 * HOUR)
        self.store.close()
        self.told.peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return self.told

    def _score(self, scoring: Scoring, now: datetime) -> None:
        features = self.base.features[scoring.number].iloc[scoring.places]
        said = self.champion.predict_probability(features)
        flags = [column.name for column in self.contract.features if column.kind == "flag"]
        texts = features.astype(dict.fromkeys(flags, "boolean")).to_json(orient="records", lines=True).splitlines()
        people = zip(self.base.ids(scoring.number, scoring.places), self.named[scoring.places].tolist(), strict=True)
        ids = [who if named else None for who, named in people]
        threshold = self.champion.info.threshold
        named = said >= threshold
        held = self.control.among(ids, named)
        stamp, version = now.strftime(TIME_FORMAT), str(self.champion.info.version)
        keys = [f"{scoring.number:04}-{place:06}" for place in scoring.places.tolist()]
        rows = zip(keys, ids, said.tolist(), named.tolist(), texts, held.tolist(), strict=True)
        self.store.write_rows(
            [PredictionRow(key, who, stamp, version, p, threshold, n, text, h) for key, who, p, n, text, h in rows]
        )
        left, known = self.base.fate(scoring.number, scoring.places)
        called = named & ~held & (self.rng.random(len(keys)) < self.life.contacted)
        if called.any():
            self.store.write_contacts([Contact(now + HOUR, prediction_id=keys[at]) for at in np.flatnonzero(called)])
        stays = called & left & (self.rng.random(len(keys)) < ACCEPTANCE)
        left, known = left & ~stays, np.where(stays, scoring.day + HORIZON, known)
        self._tell(keys, left, known)

    def _tell(self, keys: list[str], left: np.ndarray, known: np.ndarray) -> None:
        life, n = self.life, len(keys)
        told = left | (self.rng.random(n) < life.stayers_told)
        at = known + self.rng.integers(0, life.late + 1, n)
        wrong = self.rng.random(n) < life.wrong
        for one in np.flatnonzero(told).tolist():
            day, key, true = int(at[one]), keys[one], bool(left[one])
            self.waiting[day].append(Outcome(true != bool(wrong[one]), FIRST + timedelta(days=day), prediction_id=key))
            if wrong[one]:
                day += CORRECTED_AFTER
                self.waiting[day].append(Outcome(true, FIRST + timedelta(days=day), prediction_id=key, corrects=True))

    def _monitor(self, day: int, now: datetime) -> DecisionAction:
        began = time.process_time()
        version, told = str(self.champion.info.version), self.told
        run = run_monitor(
            self.store, self.contract, self.settings, version, self.reference, now=now, campaign=self.trainer.params.profit
        )
        told.slowest = max(told.slowest, round(time.process_time() - began, 1))
        if not record_run(self.store, run):
            return DecisionAction.NONE
        told.runs += run.result.rows > 0
        told.outcome_runs += run.result.labelled_rows > 0
        told.customer_alarms += [day] if run.result.covariate_alarm else []
        told.outcome_alarms += [day] if run.result.concept_alarm else []
        if run.decision.action != DecisionAction.NONE:
            told.notes.append(f"{day}: {run.decision.action}: {run.decision.reason}")
        return run.decision.action

    def _retrain(self, day: int, now: datetime) -> None:
        maturity, newest = self.settings.label_maturity_seconds, self.settings.max_training_rows
        traffic = read_mature_traffic(self.store, self.contract, maturity, newest=newest, now=now)
        training_set = assemble(self.file, traffic.rows, self.contract, self.trainer.params)
        trained = self.trainer.train(training_set, "drift")
        judges = judges_of(training_set.fresh, trained.learned, self.trainer.params.gate)
        verdict = decide(trained.model, self.champion, judges, self.trainer.params, self.contract, serving=None)
        self.told.trainings.append(day)
        said = "passed" if verdict.promote else "rejected"
        rate = float(traffic.rows["churned"].mean()) if len(traffic.rows) else float("nan")
        self.told.notes.append(f"{day}: gate: {said}: {verdict.reason} ({len(traffic.rows)} rows, {rate:.3f} left)")
        before = self.champion
        model, reference = self._register(trained)
        ended = DecisionAction.PROMOTED if verdict.promote else DecisionAction.REJECTED
        if verdict.promote:
            self.champion, self.reference = model, reference
            self.told.promotions.append((day, round(self._log_loss(model, day) - self._log_loss(before, day), 4)))
            self._record(DecisionKind.PROMOTION, ended, verdict.reason, now)
        self._record(DecisionKind.RETRAIN, ended, verdict.reason, now)

    def _log_loss(self, model: Model, day: int) -> float:
        number = day // self.life.step
        said = np.clip(model.predict_probability(self.clean.features[number]), 1e-15, 1 - 1e-15)
        left = self.clean.fate(number, np.arange(CLEAN)).left
        return float(-np.log(np.where(left, said, 1 - said)).mean())

    def _record(self, kind: DecisionKind, action: DecisionAction, reason: str, at: datetime) -> None:
        self.store.write_decision(Decision(kind, action, "gate", reason, str(self.versions), decided_at=at))

    def _register(self, trained: Trained) -> tuple[Model, Reference]:
        self.versions += 1
        info = trained.model.info.model_copy(update={"version": str(self.versions)})
        return replace(trained.model, info=info), Reference.of(trained.reference, self.contract)


def run_life(name: str, seed: int, customers: int, rise: int | None, trainer: Trainer | None = None) -> Lived:
    """Live through one life.

    Parameters
    ----------
    name : str
        Of `LIVES`.
    seed : int
    customers : int
        Size of the base at the beginning, times the life's `size`.
    rise : int or None
        Day of a price rise.
    trainer : Trainer, optional
        What it trained before is not trained again.
    """
    began = time.process_time()
    with tempfile.TemporaryDirectory(prefix="churn-life-") as folder:
        lived = Company(name, seed, customers, rise, trainer or Trainer(load_contract()), Path(folder)).live()
    lived.cpu_seconds = round(time.process_time() - began, 1)
    return lived


def live_lives(names: list[str], seeds: range, customers: int, rise: int | None, lines: Path) -> Table:
    """Live through lives, and return a table of them.

    Parameters
    ----------
    names : list of str
        Of `LIVES`.
    seeds : range
    customers : int
    rise : int or None
        Day of a price rise.
    lines : Path
        Each result is added to this file, as a line of JSON.
    """
    lines.parent.mkdir(parents=True, exist_ok=True)
    table = Table(
        "life", "seed", "alarms: customers", "outcomes", "trainings", "promotions: day, log loss", "slowest run", "memory"
    )
    trainer = Trainer(load_contract())
    for name in names:
        for seed in seeds:
            one = run_life(name, seed, customers, rise, trainer)
            with lines.open("a") as file:
                file.write(json.dumps(asdict(one)) + "\n")
            table.add_row(
                name,
                str(seed),
                f"{len(one.customer_alarms)} of {one.runs}",
                f"{len(one.outcome_alarms)} of {one.outcome_runs}, days {one.outcome_alarms}",
                str(one.trainings),
                "; ".join(f"{day}, {by:+.4f}" for day, by in one.promotions),
                f"{one.slowest} s",
                f"{one.peak_mb:.0f} MB",
            )
    return table
