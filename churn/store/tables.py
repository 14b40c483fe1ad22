"""The tables of the store. The migration in churn/store/migrations makes exactly these; a test compares the two."""

from __future__ import annotations

import sqlalchemy as sa

from churn.store.database.column_types import EnumText, Sequence, UtcTime
from churn.store.records import DecisionAction, DecisionKind

# SQLite has no such indexes, and an ordinary index would make each write slower.
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
    sa.Column("held_out", sa.Boolean, nullable=False),
    sa.Index("ix_predictions_model_version_seq", "model_version", "seq"),
    # Many batches name nobody: without an entry for each of their rows, a write takes a fifth less.
    sa.Index(
        "ix_predictions_customer_id_requested_at",
        "customer_id",
        "requested_at",
        sqlite_where=sa.text("customer_id IS NOT NULL"),
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    ),
    sa.Index("ix_predictions_requested_at", "requested_at", postgresql_using="brin", info=POSTGRESQL_ONLY),
    sqlite_autoincrement=True,  # the number of a row that was removed is not given again: the monitor is past it
)

# With a copy of what performance is measured on, as the few predictions that have outcomes are scattered over all of them.
outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
    sa.Column("prediction_id", sa.String(36), sa.ForeignKey("predictions.prediction_id"), nullable=False, unique=True),
    sa.Column("churned", sa.Boolean, nullable=False),
    sa.Column("observed_at", UtcTime, nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.Column("prediction_seq", sa.BigInteger, nullable=False),
    sa.Column("customer_id", sa.String(128)),
    sa.Column("model_version", sa.String(32), nullable=False),
    sa.Column("requested_at", UtcTime, nullable=False),
    sa.Column("churn_probability", sa.Double, nullable=False),
    sa.Column("threshold", sa.Double, nullable=False),
    sa.Index("ix_outcomes_requested_at", "requested_at"),
    sqlite_autoincrement=True,
)

# Outcomes that were wrong, or withdrawn: what is said now and what was said before, oldest first. They go with their prediction.
outcome_corrections = sa.Table(
    "outcome_corrections",
    metadata,
    sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
    sa.Column("prediction_id", sa.String(36), sa.ForeignKey("predictions.prediction_id", ondelete="CASCADE"), nullable=False),
    sa.Column("model_version", sa.String(32), nullable=False),
    sa.Column("outcome_seq", sa.BigInteger),  # of the outcome that was there; null if there was none
    sa.Column("churned", sa.Boolean),  # null: withdrawn
    sa.Column("observed_at", UtcTime, nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.Column("churned_before", sa.Boolean),
    sa.Column("observed_at_before", UtcTime),
    sa.Column("received_at_before", UtcTime),
    sa.Index("ix_outcome_corrections_prediction_id_seq", "prediction_id", "seq"),
    sa.Index("ix_outcome_corrections_received_at", "received_at"),
    sqlite_autoincrement=True,
)

# Who was acted on. No foreign key: a company also calls customers whom it never asked about, and predictions are removed earlier.
contacts = sa.Table(
    "contacts",
    metadata,
    sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
    sa.Column("customer_id", sa.String(128)),
    sa.Column("prediction_id", sa.String(36)),  # only where the prediction names no customer
    sa.Column("contacted_at", UtcTime, nullable=False),
    sa.Column("campaign", sa.String(128), nullable=False),
    sa.Column("offer", sa.String(256)),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.CheckConstraint("(customer_id IS NULL) <> (prediction_id IS NULL)", name="ck_contacts_names_one"),
    sa.Index(
        "uq_contacts_customer",
        *("customer_id", "contacted_at", "campaign"),
        unique=True,
        sqlite_where=sa.text("customer_id IS NOT NULL"),
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    ),
    sa.Index(
        "uq_contacts_prediction",
        *("prediction_id", "contacted_at", "campaign"),
        unique=True,
        sqlite_where=sa.text("prediction_id IS NOT NULL"),
        postgresql_where=sa.text("prediction_id IS NOT NULL"),
    ),
    sa.Index("ix_contacts_campaign_contacted_at", "campaign", "contacted_at"),
    sqlite_autoincrement=True,
)

# Counted when contacts are stored: those removed since are still in it.
campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("contacts", sa.BigInteger, nullable=False),
    sa.Column("first_contact_at", UtcTime, nullable=False),
    sa.Column("last_contact_at", UtcTime, nullable=False),
)

# What customers said last about contacts; `customer` is a digest, see `churn.store.contacts.opted_out`.
opt_outs = sa.Table(
    "opt_outs",
    metadata,
    sa.Column("customer", sa.String(64), primary_key=True),
    sa.Column("opted_out", sa.Boolean, nullable=False),
    sa.Column("said_at", UtcTime, nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.Index("ix_opt_outs_received_at", "received_at"),
)

# Which group a customer is in, by columns that no model, request or log holds: for comparing groups, and for nothing else.
sensitive_levels = sa.Table(
    "sensitive_levels",
    metadata,
    sa.Column("customer_id", sa.String(128), primary_key=True),
    sa.Column("column_name", sa.Text, primary_key=True),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
)

# How many rows a table ever had, removed ones included, up to a number: only rows above it need counting.
row_counts = sa.Table(
    "row_counts",
    metadata,
    sa.Column("table_name", sa.String(32), primary_key=True),
    sa.Column("row_count", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
)

# What a challenger would have answered. No foreign key: a row may be written before its prediction.
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

# One row for each input that `churn score --log` wrote: what was scored by which model, and whether all of it is there.
scoring_runs = sa.Table(
    "scoring_runs",
    metadata,
    sa.Column("run_key", sa.String(64), primary_key=True),
    sa.Column("source", sa.String(1024), nullable=False),
    sa.Column("model_version", sa.String(32), nullable=False),
    sa.Column("requested_at", UtcTime, nullable=False),
    sa.Column("after_seq", sa.BigInteger, nullable=False),
    sa.Column("active_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Column("rows", sa.BigInteger, nullable=False),
    # Each monitoring run asks for those that are not finished, of which there are few.
    sa.Index(
        "ix_scoring_runs_unfinished",
        "active_at",
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    ),
)

# One row a monitoring run; the unique constraint keeps two runs from taking the same window.
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
    sa.Column("mature_until", UtcTime, nullable=False),
    sa.UniqueConstraint("model_version", "last_seq", "last_outcome_seq", "mature_until", name="uq_monitor_runs_window"),
    sa.Index("ix_monitor_runs_started_at", "started_at", "run_id"),
    # Outcomes may come once a night, runs every five minutes: the few runs with outcomes are found without reading the others.
    sa.Index(
        "ix_monitor_runs_labelled",
        *("model_version", "last_seq", "last_outcome_seq", "mature_until"),
        sqlite_where=sa.text("labelled_rows > 0"),
        postgresql_where=sa.text("labelled_rows > 0"),
    ),
)

# Everything that was decided or done: by whom, and why.
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

# One row a flow: how its runs ended. Updated at the end of each run, even if it had nothing to do.
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
