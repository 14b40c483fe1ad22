"""The store: predictions, outcomes, monitoring runs, decisions and flow runs, in SQLite or PostgreSQL by one URL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Self

import sqlalchemy as sa

from churn.store.contacts.campaign_counter import CampaignCounter
from churn.store.contacts.contacts import Contacts
from churn.store.contacts.not_to_contact import NotToContact
from churn.store.contacts.opt_outs import OptOuts
from churn.store.database.engine import CONNECT_SECONDS, make_engine, ping, translated
from churn.store.decisions import Decisions
from churn.store.flow_runs import FlowRuns
from churn.store.locks.lock import HeldLock, acquire_lock, find_holder
from churn.store.migrate import migrate
from churn.store.monitor_runs import MonitorRuns
from churn.store.outcomes.corrections import Corrections
from churn.store.outcomes.delays import OutcomeDelays
from churn.store.outcomes.outcomes import Outcomes
from churn.store.predictions.cohort import CohortCounter
from churn.store.predictions.features import FeatureReader
from churn.store.predictions.last_seen import LastSeenReader
from churn.store.predictions.log_reader import LogReader
from churn.store.predictions.prediction_writer import PredictionWriter
from churn.store.predictions.window_reader import WindowReader
from churn.store.scoring_runs import ScoringRuns
from churn.store.sensitive_levels import SensitiveLevels
from churn.store.shadow import ShadowPredictions

# How long a writer waits for another one's commit in SQLite.
TIMEOUT_SECONDS = 15.0


class Store:
    """A connection pool to one migrated database, and the methods of all its parts.

    Each part is a class with its own SQL, which knows the engine and not this class. Their methods are attributes here, under
    names that say what they are about: so callers declare the few methods that they need as a Protocol, tests give them a small
    fake, and signatures and docstrings stand once, at the parts.

    Every method raises StoreError if it fails. It is one transaction, unless its docstring says otherwise.
    """

    def __init__(self, engine: sa.Engine, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.engine = engine
        self._writer = PredictionWriter(engine, timeout_seconds)
        self._name_predictions(engine)
        self._name_outcomes(engine)
        self._name_contacts(engine)
        self._name_records(engine)

    def _name_predictions(self, engine: sa.Engine) -> None:
        """Name the methods that write the prediction log, and those that read it."""
        self.write_predictions = self._writer.write
        self.write_rows = self._writer.write_rows
        self.write_rows_at_once = self._writer.write_rows_at_once
        self.copy_rows = self._writer.copy_rows

        log = LogReader(engine)
        self.read_predictions = log.read
        self.count_predictions = log.count
        self.count_predictions_since = log.count_since
        self.last_prediction_at = log.last_requested_at
        self.read_features = FeatureReader(engine).read

        window = WindowReader(engine)
        self.find_span = window.find_span
        self.iter_predictions = window.iter_parts
        cohorts = CohortCounter(engine)
        self.count_cohort = cohorts.count
        self.seems_of_leavers = cohorts.seems_of_leavers
        self.read_last_seen = LastSeenReader(engine).read

        shadow = ShadowPredictions(engine)
        self.write_shadow = shadow.write
        self.compare_shadow = shadow.compare
        self.realized = shadow.realized

    def _name_outcomes(self, engine: sa.Engine) -> None:
        """Name the methods for what came true."""
        outcomes = Outcomes(engine)
        self.write_outcomes = outcomes.write
        self.read_outcomes = WindowReader(engine).read_labelled
        self.count_outcomes = outcomes.count
        self.last_outcome_at = outcomes.last_received_at
        self.outcome_delays = OutcomeDelays(engine).read

        corrections = Corrections(engine)
        self.outcome_corrections = corrections.read
        self.count_outcome_corrections = corrections.count

    def _name_contacts(self, engine: sa.Engine) -> None:
        """Name the methods for who was acted on, in which campaign, and who must not be."""
        contacts = Contacts(engine)
        self.write_contacts = contacts.write
        self.write_contacts_whole = contacts.write_whole
        self.campaigns = contacts.campaigns
        self.campaign_members = contacts.members

        campaigns = CampaignCounter(engine)
        self.count_campaign = campaigns.count
        self.count_campaign_parts = campaigns.count_parts
        self.campaign_versions = campaigns.versions

        self.not_to_contact = NotToContact(engine).read
        opt_outs = OptOuts(engine)
        self.opted_out = opt_outs.read
        self.count_opt_outs = opt_outs.count
        self.opt_out_changes = opt_outs.changes

    def _name_records(self, engine: sa.Engine) -> None:
        """Name the methods for the system's own records: monitoring, decisions, flows, scored files, sensitive groups."""
        runs = MonitorRuns(engine)
        self.write_monitor_run = runs.write
        self.monitor_runs = runs.read

        decisions = Decisions(engine)
        self.write_decision = decisions.write
        self.decisions = decisions.read
        self.count_decisions = decisions.count

        flows = FlowRuns(engine)
        self.write_flow_run = flows.write
        self.flow_runs = flows.read

        scoring = ScoringRuns(engine)
        self.begin_scoring_run = scoring.begin
        self.keep_scoring_run_alive = scoring.keep_alive
        self.finish_scoring_run = scoring.finish
        self.last_id_within = scoring.last_id
        self.scoring_runs = scoring.read

        levels = SensitiveLevels(engine)
        self.write_sensitive_levels = levels.write
        self.read_sensitive_levels = levels.read

    @classmethod
    def open(cls, url: str, timeout_seconds: float | None = None) -> Self:
        """Migrate a database and connect to it.

        Parameters
        ----------
        url : str
            Of SQLite or PostgreSQL.
        timeout_seconds : float, optional
            How long a statement may take, or wait for others. By default, a quarter of an hour in PostgreSQL, 15 s in SQLite.

        Returns
        -------
        Store

        Raises
        ------
        InputError
            If the URL is malformed, or of another database.
        StoreError
            If the database is away, or cannot be migrated.
        """
        store = cls(make_engine(url, timeout_seconds), timeout_seconds or TIMEOUT_SECONDS)
        if store.engine.dialect.name == "postgresql":
            # A migration may take long; a server that stands still must not be taken for one.
            ping(url, min(timeout_seconds or CONNECT_SECONDS, CONNECT_SECONDS))
        migrate(url)
        return store

    def close(self) -> None:
        """Close the connections."""
        self._writer.close()
        self.engine.dispose()

    @property
    def single_writer(self) -> bool:
        """Whether others wait while one writes, as in SQLite."""
        return self.engine.dialect.name == "sqlite"

    def ping(self) -> None:
        """Raise StoreError if the database does not answer."""
        with translated(), self.engine.connect() as connection:
            connection.execute(sa.select(1))

    def lock(
        self, name: str, holder: str, /, *, timeout_seconds: float = 0.0, on_wait: Callable[[str], None] = lambda _holder: None
    ) -> AbstractContextManager[HeldLock]:
        """Hold a lock on all hosts of this store for a `with` block; see `churn.store.locks.lock.acquire_lock`.

        Parameters
        ----------
        name : str
            What is done by one process at a time, such as "training".
        holder : str
            Who does it, for those who come meanwhile.
        timeout_seconds : float
            How long to wait for the lock.
        on_wait : callable
            Called once with the holder, if there is somebody to wait for.

        Returns
        -------
        context manager of HeldLock
        """
        return acquire_lock(self.engine, name, holder, timeout_seconds=timeout_seconds, on_wait=on_wait)

    def lock_holder(self, name: str) -> str:
        """Return who holds a lock now, and since when; empty if nobody does."""
        return find_holder(self.engine, name)
