"""Flows say that they ran, also when there was nothing to do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "flow_runs",
        sa.Column("flow", sa.String(64), primary_key=True),
        sa.Column("succeeded", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("last_ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_success_at", sa.DateTime(timezone=True)),
        sa.Column("last_seconds", sa.Double, nullable=False),
        sa.Column("last_failure", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("flow_runs")
