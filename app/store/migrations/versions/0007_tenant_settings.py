"""tenant settings, and what a sign-in was not granted

Revision: 0007
Follows: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("tenant", schema=None) as batch_op:
        for name, empty in (
            ("client_auth", "{}"),
            ("scopes", "{}"),
            ("frame_ancestors", "[]"),
            ("capabilities", "{}"),
        ):
            batch_op.add_column(sa.Column(name, sa.JSON(), nullable=False, server_default=empty))
        batch_op.add_column(sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("not_granted", sa.JSON(), nullable=False, server_default="[]")
        )
        batch_op.add_column(sa.Column("ehr_style", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(
            sa.Column("refreshing_until", sa.DateTime(timezone=True), nullable=True)
        )


def downgrade() -> None:
    # Column by column: SQLite would otherwise make the tables anew, which others refer to.
    for name in ("refreshing_until", "ehr_style", "not_granted"):
        op.drop_column("sign_in", name)
    for name in ("checked_at", "capabilities", "frame_ancestors", "scopes", "client_auth"):
        op.drop_column("tenant", name)
