"""The tables of the store. Migrations in churn/store/migrations make exactly these; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect

from churn.store.records import DecisionAction, DecisionKind


class UtcTime(sa.types.TypeDecorator[datetime]):
    """A moment in UTC. Naive datetimes are refused: they are how time zones get lost."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive moment; give the rest in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give the moment its time zone back, which SQLite forgets."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)  # type: ignore[no-any-return]


class EnumText(sa.types.TypeDecorator[StrEnum]):
    """A member of a StrEnum, stored as its text."""

    impl = sa.String
    cache_ok = True

    def __init__(self, members: type[StrEnum], length: int) -> None:
        self.members = members
        super().__init__(length)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text: no driver has to know the enum."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:
        """Return the member that the text stands for."""
        return None if value is None else self.members(value)


# SQLite numbers rows by itself only in a column declared INTEGER.
Sequence = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")

# SQLite has no indexes of this kind, and one of its own would make each write slower.
POSTGRESQL_ONLY = {"only": "postgresql"}

metadata = sa.MetaData()

predictions = sa.Table(
    "predictions",
    metadata,
    sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
    sa.Column("prediction_id", sa.String(36), nullable=False, unique=True),
    sa.Column("customer_id", sa.String(128)),
    sa.Column("requested_at", UtcTime, nullable=False),
    sa.Column("model_version", sa.String(32), nullable=False),
    sa.Column("churn_probability", sa.Double, nullable=False),
    sa.Column("threshold", sa.Double, nullable=False),
    sa.Column("churn", sa.Boolean, nullable=False),
    sa.Column("features", sa.JSON, nullable=False),
    sa.Index("ix_predictions_model_version_seq", "model_version", "seq"),
    sa.Index("ix_predictions_customer_id_seq", "customer_id", "seq"),
    sa.Index("ix_predictions_requested_at", "requested_at", postgresql_using="brin", info=POSTGRESQL_ONLY),
    sqlite_autoincrement=True,  # the number of a row that was removed is not given again: the monitor is past it
)

# With what is judged of its prediction: of a hundred million predictions a few have outcomes, scattered over all of them.
outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
    sa.Column("prediction_id", sa.String(36), sa.ForeignKey("predictions.prediction_id"), nullable=False, unique=True),
    sa.Column("churned", sa.Boolean, nullable=False),
    sa.Column("observed_at", UtcTime, nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.Column("prediction_seq", sa.BigInteger, nullable=False),
    sa.Column("model_version", sa.String(32), nullable=False),
    sa.Column("requested_at", UtcTime, nullable=False),
    sa.Column("churn_probability", sa.Double, nullable=False),
    sa.Column("threshold", sa.Double, nullable=False),
    sa.Index("ix_outcomes_requested_at", "requested_at"),
    sqlite_autoincrement=True,
)

# How many there were over all time, those that were removed too: counted up to a number, so that only newer ones need counting.
totals = sa.Table(
    "totals",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("counted", sa.BigInteger, nullable=False),
    sa.Column("upto_seq", sa.BigInteger, nullable=False),
)

# What a challenger would have answered. Best effort, beside the log: no foreign key, for a row may come before its prediction.
shadow_predictions = sa.Table(
    "shadow_predictions",
    metadata,
    sa.Column("prediction_id", sa.String(36), nullable=False),
    sa.Column("model_version", sa.String(32), nullable=False),
    sa.Column("churn_probability", sa.Double, nullable=False),
    sa.Column("churn", sa.Boolean, nullable=False),
    sa.Column("requested_at", UtcTime, nullable=False),
    sa.PrimaryKeyConstraint("model_version", "prediction_id", name="pk_shadow_predictions"),
    sa.Index("ix_shadow_predictions_requested_at", "requested_at", postgresql_using="brin", info=POSTGRESQL_ONLY),
)

# One row a look of the monitor; the unique constraint is what keeps a window from being judged twice.
monitor_runs = sa.Table(
    "monitor_runs",
    metadata,
    sa.Column("run_id", sa.String(36), primary_key=True),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("model_version", sa.String(32), nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("last_outcome_seq", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("labelled_rows", sa.Integer, nullable=False),
    sa.Column("covariate_alarm", sa.Boolean, nullable=False),
    sa.Column("concept_alarm", sa.Boolean, nullable=False),
    sa.Column("result", sa.JSON, nullable=False),
    sa.Column("report", sa.String(1024)),
    sa.Column("mature_until", UtcTime, nullable=False, server_default="1970-01-01 00:00:00.000000"),
    sa.UniqueConstraint("model_version", "last_seq", "last_outcome_seq", "mature_until", name="uq_monitor_runs_window"),
    sa.Index("ix_monitor_runs_started_at", "started_at", "run_id"),
)

# Everything that was decided or done, by whom and why.
decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("decision_id", sa.String(36), primary_key=True),
    sa.Column("decided_at", UtcTime, nullable=False),
    sa.Column("kind", EnumText(DecisionKind, 16), nullable=False),
    sa.Column("action", EnumText(DecisionAction, 32), nullable=False),
    sa.Column("actor", sa.String(128), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("model_version", sa.String(32)),
    sa.Column("evidence", sa.JSON, nullable=False),
    sa.Index("ix_decisions_kind_decided_at", "kind", "decided_at"),
)

# One row a flow: how its runs ended. Written at the end of each run, also of one that had nothing to do.
flow_runs = sa.Table(
    "flow_runs",
    metadata,
    sa.Column("flow", sa.String(64), primary_key=True),
    sa.Column("succeeded", sa.BigInteger, nullable=False),
    sa.Column("failed", sa.BigInteger, nullable=False),
    sa.Column("last_ended_at", UtcTime, nullable=False),
    sa.Column("last_success_at", UtcTime),
    sa.Column("last_seconds", sa.Double, nullable=False),
    sa.Column("last_failure", sa.Text, nullable=False),
)
