"""the way in which a message goes to the EHR

Revision: 0010
Follows: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("outbox") as table:
        table.add_column(sa.Column("way", sa.String(), nullable=True))
        table.add_column(sa.Column("way_why", sa.String(), nullable=True))
        table.add_column(sa.Column("ways_refused", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    with op.batch_alter_table("outbox") as table:
        table.drop_column("ways_refused")
        table.drop_column("way_why")
        table.drop_column("way")
