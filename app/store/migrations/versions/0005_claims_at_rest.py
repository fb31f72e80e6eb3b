"""claims at rest: each as it left, files of one export together, charge messages

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "claim",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("export_id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("frequency", sa.String(), nullable=False),
        sa.Column("replaces", sa.String(), nullable=True),
        sa.Column("total", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episode.id"], name=op.f("fk_claim_episode_id_episode")
        ),
        sa.ForeignKeyConstraint(
            ["export_id"], ["claim_export.id"], name=op.f("fk_claim_export_id_claim_export")
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_claim_patient_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_claim_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
        sa.UniqueConstraint("tenant_id", "claim_id", name=op.f("uq_claim_tenant_id_claim_id")),
    )
    with op.batch_alter_table("claim", schema=None) as batch_op:
        batch_op.create_index("ix_claim_replaces", ["tenant_id", "replaces"], unique=False)
        batch_op.create_index(batch_op.f("ix_claim_export_id"), ["export_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_claim_patient_id"), ["patient_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_claim_tenant_id"), ["tenant_id"], unique=False)

    op.create_table(
        "charge_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("export_id", sa.Integer(), nullable=False),
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("control_id", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["export_id"],
            ["claim_export.id"],
            name=op.f("fk_charge_message_export_id_claim_export"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_charge_message_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge_message")),
        sa.UniqueConstraint(
            "tenant_id", "control_id", name=op.f("uq_charge_message_tenant_id_control_id")
        ),
    )
    with op.batch_alter_table("charge_message", schema=None) as batch_op:
        for column in ("claim_id", "export_id", "status", "tenant_id"):
            batch_op.create_index(batch_op.f(f"ix_charge_message_{column}"), [column], unique=False)

    with op.batch_alter_table("claim_export", schema=None) as batch_op:
        batch_op.add_column(sa.Column("batch", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("receiver", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("data", sa.LargeBinary(), nullable=True))
        batch_op.create_index(batch_op.f("ix_claim_export_batch"), ["batch"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("claim_export", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_claim_export_batch"))
        batch_op.drop_column("data")
        batch_op.drop_column("receiver")
        batch_op.drop_column("batch")
    op.drop_table("charge_message")
    op.drop_table("claim")
