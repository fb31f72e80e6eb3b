"""templates of programs, and favourite exercises

Revision: 0018
Follows: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "program_template",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["made_by"], ["practitioner.id"], name=op.f("fk_program_template_made_by_practitioner")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_program_template_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_program_template")),
    )
    op.create_index(op.f("ix_program_template_tenant_id"), "program_template", ["tenant_id"])
    op.create_table(
        "favourite_exercise",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("practitioner_id", sa.Integer(), nullable=False),
        sa.Column("exercise_id", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["practitioner_id"],
            ["practitioner.id"],
            name=op.f("fk_favourite_exercise_practitioner_id_practitioner"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_favourite_exercise_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_favourite_exercise")),
        sa.UniqueConstraint(
            "practitioner_id",
            "exercise_id",
            name=op.f("uq_favourite_exercise_practitioner_id_exercise_id"),
        ),
    )
    op.create_index(op.f("ix_favourite_exercise_tenant_id"), "favourite_exercise", ["tenant_id"])


def downgrade() -> None:
    op.drop_table("favourite_exercise")
    op.drop_table("program_template")
