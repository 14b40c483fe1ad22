"""Answers of challengers, which nobody got."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "shadow_predictions",
        sa.Column("prediction_id", sa.String(36), nullable=False),
        sa.Column("model_version", sa.String(32), nullable=False),
        sa.Column("churn_probability", sa.Double, nullable=False),
        sa.Column("churn", sa.Boolean, nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("model_version", "prediction_id", name="pk_shadow_predictions"),
    )


def downgrade() -> None:
    op.drop_table("shadow_predictions")
