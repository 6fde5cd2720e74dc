"""Indexes for what is asked of plans and follow-ups by state and day, so that those of years gone by are not read."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("plans_state", "plans", ["state", "case"])
    for day in ("confirmed_on", "suspended_on", "ended_on"):
        op.create_index(f"plans_{day}", "plans", [day], sqlite_where=sa.text(f"{day} IS NOT NULL"))
    op.drop_index("ix_follow_ups_done_on", "follow_ups")
    op.create_index("follow_ups_done", "follow_ups", ["done_on", "due_on", "id"])
