"""Predictions, outcomes, looks of the monitor, decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0001"
down_revision = None

SEQUENCE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
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
    )
    op.create_index("ix_predictions_model_version_seq", "predictions", ["model_version", "seq"])
    op.create_index("ix_predictions_customer_id_seq", "predictions", ["customer_id", "seq"])
    op.create_table(
        "outcomes",
        sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("prediction_id", sa.String(36), sa.ForeignKey("predictions.prediction_id"), nullable=False, unique=True),
        sa.Column("churned", sa.Boolean, nullable=False),
        sa.Column("observed_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
    )
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
        sa.UniqueConstraint("model_version", "last_seq", "last_outcome_seq", name="uq_monitor_runs_window"),
    )
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


def downgrade() -> None:
    for table in ("decisions", "monitor_runs", "outcomes", "predictions"):
        op.drop_table(table)
