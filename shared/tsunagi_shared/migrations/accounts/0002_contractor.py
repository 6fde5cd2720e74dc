"""The contractor under which a post or a key was given (rule `contract`). Empty: given before this was kept."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for table in ("posts", "keys"):
        op.add_column(table, sa.Column("contractor", sa.Text, nullable=False, server_default=""))
