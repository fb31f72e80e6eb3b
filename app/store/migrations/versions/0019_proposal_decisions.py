"""decisions about proposals

Revision: 0019
Follows: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "proposal_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("program_row_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("proposal", sa.JSON(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("decided_by", sa.Integer(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_proposal_decision_patient_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["program_row_id"],
            ["program.id"],
            name=op.f("fk_proposal_decision_program_row_id_program"),
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"],
            ["practitioner.id"],
            name=op.f("fk_proposal_decision_decided_by_practitioner"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_proposal_decision_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_decision")),
        sa.UniqueConstraint(
            "program_row_id", "digest", name=op.f("uq_proposal_decision_program_row_id_digest")
        ),
    )
    op.create_index(op.f("ix_proposal_decision_patient_id"), "proposal_decision", ["patient_id"])
    op.create_index(op.f("ix_proposal_decision_tenant_id"), "proposal_decision", ["tenant_id"])


def downgrade() -> None:
    op.drop_table("proposal_decision")
