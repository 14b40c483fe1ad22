"""Looks remember how young the predictions were whose outcomes they judged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

WINDOW = ["model_version", "last_seq", "last_outcome_seq"]
EPOCH = "1970-01-01 00:00:00.000000"


def upgrade() -> None:
    with op.batch_alter_table("monitor_runs") as table:
        table.add_column(sa.Column("mature_until", sa.DateTime(timezone=True), nullable=False, server_default=EPOCH))
        table.drop_constraint("uq_monitor_runs_window", type_="unique")
        table.create_unique_constraint("uq_monitor_runs_window", [*WINDOW, "mature_until"])
    # Looks before this one judged every outcome there was, of whatever age.
    op.execute("UPDATE monitor_runs SET mature_until = started_at WHERE last_outcome_seq > 0")


def downgrade() -> None:
    with op.batch_alter_table("monitor_runs") as table:
        table.drop_constraint("uq_monitor_runs_window", type_="unique")
        table.create_unique_constraint("uq_monitor_runs_window", WINDOW)
        table.drop_column("mature_until")
