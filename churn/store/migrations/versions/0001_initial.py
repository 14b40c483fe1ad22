"""All tables of the store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0001"
down_revision = None

SEQUENCE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TIME = sa.DateTime(timezone=True)
LARGE = ("predictions", "outcomes", "shadow_predictions")


def upgrade() -> None:
    _create_predictions()
    _create_outcomes()
    _create_outcome_corrections()
    _create_contacts()
    _create_sensitive_levels()
    _create_shadow_predictions()
    _create_scoring_runs()
    _create_monitor_runs()
    _create_decisions()
    _create_flow_runs()
    if op.get_bind().dialect.name == "postgresql":
        _tune_postgresql()


def _create_predictions() -> None:
    op.create_table(
        "predictions",
        sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("prediction_id", sa.String(36), nullable=False, unique=True),
        sa.Column("customer_id", sa.String(128)),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("model_version", sa.String(32), nullable=False),
        sa.Column("churn_probability", sa.Double, nullable=False),
        sa.Column("threshold", sa.Double, nullable=False),
        sa.Column("churn", sa.Boolean, nullable=False),
        sa.Column("features", sa.JSON, nullable=False),
        sa.Column("held_out", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_predictions_model_version_seq", "predictions", ["model_version", "seq"])
    op.create_index(
        "ix_predictions_customer_id_requested_at",
        "predictions",
        ["customer_id", "requested_at"],
        sqlite_where=sa.text("customer_id IS NOT NULL"),
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )


def _create_outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("prediction_id", sa.String(36), sa.ForeignKey("predictions.prediction_id"), nullable=False, unique=True),
        sa.Column("churned", sa.Boolean, nullable=False),
        sa.Column("observed_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("prediction_seq", sa.BigInteger, nullable=False),
        sa.Column("customer_id", sa.String(128)),
        sa.Column("model_version", sa.String(32), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("churn_probability", sa.Double, nullable=False),
        sa.Column("threshold", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outcomes_requested_at", "outcomes", ["requested_at"])
    counts = op.create_table(
        "row_counts",
        sa.Column("table_name", sa.String(32), primary_key=True),
        sa.Column("row_count", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counts, [{"table_name": "outcomes", "row_count": 0, "last_seq": 0}])


def _create_outcome_corrections() -> None:
    op.create_table(
        "outcome_corrections",
        sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("prediction_id", sa.String(36), sa.ForeignKey("predictions.prediction_id", ondelete="CASCADE"), nullable=False),
        sa.Column("model_version", sa.String(32), nullable=False),
        sa.Column("outcome_seq", sa.BigInteger),
        sa.Column("churned", sa.Boolean),
        sa.Column("observed_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("churned_before", sa.Boolean),
        sa.Column("observed_at_before", TIME),
        sa.Column("received_at_before", TIME),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outcome_corrections_prediction_id_seq", "outcome_corrections", ["prediction_id", "seq"])
    op.create_index("ix_outcome_corrections_received_at", "outcome_corrections", ["received_at"])


def _create_contacts() -> None:
    op.create_table(
        "contacts",
        sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("customer_id", sa.String(128)),
        sa.Column("prediction_id", sa.String(36)),
        sa.Column("contacted_at", TIME, nullable=False),
        sa.Column("campaign", sa.String(128), nullable=False),
        sa.Column("offer", sa.String(256)),
        sa.Column("received_at", TIME, nullable=False),
        sa.CheckConstraint("(customer_id IS NULL) <> (prediction_id IS NULL)", name="ck_contacts_names_one"),
        sqlite_autoincrement=True,
    )
    for name in ("customer", "prediction"):
        named = sa.text(f"{name}_id IS NOT NULL")
        op.create_index(
            f"uq_contacts_{name}",
            "contacts",
            [f"{name}_id", "contacted_at", "campaign"],
            unique=True,
            sqlite_where=named,
            postgresql_where=named,
        )
    op.create_index("ix_contacts_campaign_contacted_at", "contacts", ["campaign", "contacted_at"])
    op.create_table(
        "campaigns",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("contacts", sa.BigInteger, nullable=False),
        sa.Column("first_contact_at", TIME, nullable=False),
        sa.Column("last_contact_at", TIME, nullable=False),
    )
    op.create_table(
        "opt_outs",
        sa.Column("customer", sa.String(64), primary_key=True),
        sa.Column("opted_out", sa.Boolean, nullable=False),
        sa.Column("said_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
    )
    op.create_index("ix_opt_outs_received_at", "opt_outs", ["received_at"])


def _create_sensitive_levels() -> None:
    op.create_table(
        "sensitive_levels",
        sa.Column("customer_id", sa.String(128), primary_key=True),
        sa.Column("column_name", sa.Text, primary_key=True),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
    )


def _create_shadow_predictions() -> None:
    op.create_table(
        "shadow_predictions",
        sa.Column("prediction_id", sa.String(36), nullable=False),
        sa.Column("model_version", sa.String(32), nullable=False),
        sa.Column("churn_probability", sa.Double, nullable=False),
        sa.Column("churn", sa.Boolean, nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("model_version", "prediction_id", name="pk_shadow_predictions"),
    )


def _create_scoring_runs() -> None:
    op.create_table(
        "scoring_runs",
        sa.Column("run_key", sa.String(64), primary_key=True),
        sa.Column("source", sa.String(1024), nullable=False),
        sa.Column("model_version", sa.String(32), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("after_seq", sa.BigInteger, nullable=False),
        sa.Column("active_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.Column("rows", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "ix_scoring_runs_unfinished",
        "scoring_runs",
        ["active_at"],
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def _create_monitor_runs() -> None:
    op.create_table(
        "monitor_runs",
        sa.Column("run_id", sa.String(36), primary_key=True),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("model_version", sa.String(32), nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("last_outcome_seq", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("labelled_rows", sa.Integer, nullable=False),
        sa.Column("covariate_alarm", sa.Boolean, nullable=False),
        sa.Column("concept_alarm", sa.Boolean, nullable=False),
        sa.Column("result", sa.JSON, nullable=False),
        sa.Column("report", sa.String(1024)),
        sa.Column("mature_until", TIME, nullable=False),
        sa.UniqueConstraint("model_version", "last_seq", "last_outcome_seq", "mature_until", name="uq_monitor_runs_window"),
    )
    op.create_index("ix_monitor_runs_started_at", "monitor_runs", ["started_at", "run_id"])
    op.create_index(
        "ix_monitor_runs_labelled",
        "monitor_runs",
        ["model_version", "last_seq", "last_outcome_seq", "mature_until"],
        sqlite_where=sa.text("labelled_rows > 0"),
        postgresql_where=sa.text("labelled_rows > 0"),
    )


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.String(36), primary_key=True),
        sa.Column("decided_at", TIME, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("model_version", sa.String(32)),
        sa.Column("evidence", sa.JSON, nullable=False),
    )
    op.create_index("ix_decisions_kind_decided_at", "decisions", ["kind", "decided_at"])


def _create_flow_runs() -> None:
    op.create_table(
        "flow_runs",
        sa.Column("flow", sa.String(64), primary_key=True),
        sa.Column("succeeded", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("last_ended_at", TIME, nullable=False),
        sa.Column("last_success_at", TIME),
        sa.Column("last_seconds", sa.Double, nullable=False),
        sa.Column("last_failure", sa.Text, nullable=False),
    )


def _tune_postgresql() -> None:
    for table in ("predictions", "shadow_predictions"):
        # Rows come in the order of time: a summary of each few pages is enough to find old ones, and takes almost no space.
        op.create_index(f"ix_{table}_requested_at", table, ["requested_at"], postgresql_using="brin")
    for table in LARGE:
        # By default a fifth of the table must be new first: of a hundred million rows, an index-only scan would wait for days.
        op.execute(
            f"ALTER TABLE {table} SET (autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_vacuum_scale_factor = 0.01, "
            "autovacuum_analyze_scale_factor = 0.01)"
        )


def downgrade() -> None:
    small = ("flow_runs", "decisions", "monitor_runs", "scoring_runs", "row_counts", "sensitive_levels", "opt_outs", "campaigns")
    for table in (*small, "contacts", "outcome_corrections", "shadow_predictions", "outcomes", "predictions"):
        op.drop_table(table)
