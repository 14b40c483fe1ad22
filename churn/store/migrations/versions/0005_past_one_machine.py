"""What many rows need: outcomes that are judged without their predictions, numbers that are never given twice, a count kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0005"
down_revision = "0004"

SEQUENCE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TIME = sa.DateTime(timezone=True)
COPIED = ["prediction_seq", "model_version", "requested_at", "churn_probability", "threshold"]


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _widen_in_place()
    else:
        _rebuild()
    op.create_index("ix_outcomes_requested_at", "outcomes", ["requested_at"])
    op.create_index("ix_monitor_runs_started_at", "monitor_runs", ["started_at", "run_id"])
    op.create_table(
        "totals",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("counted", sa.BigInteger, nullable=False),
        sa.Column("upto_seq", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO totals SELECT 'outcomes', count(*), coalesce(max(seq), 0) FROM outcomes")


def _widen_in_place() -> None:
    kinds = ["bigint", "varchar(32)", "timestamptz", "double precision", "double precision"]
    add = ", ".join(f"ADD COLUMN {name} {kind}" for name, kind in zip(COPIED, kinds, strict=True))
    op.execute(f"ALTER TABLE outcomes {add}")
    op.execute(
        "UPDATE outcomes SET prediction_seq = p.seq, model_version = p.model_version, requested_at = p.requested_at, "
        "churn_probability = p.churn_probability, threshold = p.threshold "
        "FROM predictions p WHERE p.prediction_id = outcomes.prediction_id"
    )
    op.execute("ALTER TABLE outcomes " + ", ".join(f"ALTER COLUMN {name} SET NOT NULL" for name in COPIED))
    for table in ("predictions", "shadow_predictions"):
        # Rows come in the order of time, so that a summary of each few pages finds the old ones; it takes no room to speak of.
        op.create_index(f"ix_{table}_requested_at", table, ["requested_at"], postgresql_using="brin")
    for table in ("predictions", "outcomes", "shadow_predictions"):
        # By default a fifth of the table must be new first: at a hundred million rows, an index alone could not answer for days.
        op.execute(
            f"ALTER TABLE {table} SET (autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_vacuum_scale_factor = 0.01, "
            "autovacuum_analyze_scale_factor = 0.01)"
        )


def _rebuild() -> None:
    """SQLite gives the number of a removed last row to the next one, unless the table was made with AUTOINCREMENT."""
    op.create_table(
        "new_predictions",
        sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("prediction_id", sa.String(36), nullable=False, unique=True),
        sa.Column("customer_id", sa.String(128)),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("model_version", sa.String(32), nullable=False),
        sa.Column("churn_probability", sa.Double, nullable=False),
        sa.Column("threshold", sa.Double, nullable=False),
        sa.Column("churn", sa.Boolean, nullable=False),
        sa.Column("features", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "new_outcomes",
        sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("prediction_id", sa.String(36), sa.ForeignKey("predictions.prediction_id"), nullable=False, unique=True),
        sa.Column("churned", sa.Boolean, nullable=False),
        sa.Column("observed_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("prediction_seq", sa.BigInteger, nullable=False),
        sa.Column("model_version", sa.String(32), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("churn_probability", sa.Double, nullable=False),
        sa.Column("threshold", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    same = "seq, prediction_id, customer_id, requested_at, model_version, churn_probability, threshold, churn, features"
    op.execute(f"INSERT INTO new_predictions ({same}) SELECT {same} FROM predictions ORDER BY seq")  # noqa: S608 -- our own columns' names
    told = "seq, prediction_id, churned, observed_at, received_at"
    op.execute(
        f"INSERT INTO new_outcomes ({told}, {', '.join(COPIED)}) "  # noqa: S608 -- our own columns' names
        "SELECT o.seq, o.prediction_id, o.churned, o.observed_at, o.received_at, "
        "p.seq, p.model_version, p.requested_at, p.churn_probability, p.threshold "
        "FROM outcomes o JOIN predictions p ON p.prediction_id = o.prediction_id ORDER BY o.seq"
    )
    for table in ("outcomes", "predictions"):
        op.drop_table(table)
        op.rename_table(f"new_{table}", table)
    op.create_index("ix_predictions_model_version_seq", "predictions", ["model_version", "seq"])
    op.create_index("ix_predictions_customer_id_seq", "predictions", ["customer_id", "seq"])


def downgrade() -> None:
    op.drop_table("totals")
    op.drop_index("ix_monitor_runs_started_at", "monitor_runs")
    op.drop_index("ix_outcomes_requested_at", "outcomes")
    if op.get_bind().dialect.name == "postgresql":
        for table in ("predictions", "shadow_predictions"):
            op.drop_index(f"ix_{table}_requested_at", table)
            op.execute(f"ALTER TABLE {table} RESET (autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_scale_factor)")
    for name in COPIED:
        op.drop_column("outcomes", name)
