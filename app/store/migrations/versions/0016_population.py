"""population, failures of jobs, merged patients

Revision: 0016
Follows: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "population_read",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.String(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("transaction_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lines_done", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("refused", sa.JSON(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_population_read_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_population_read")),
    )
    with op.batch_alter_table("population_read", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_population_read_status"), ["status"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_population_read_tenant_id"), ["tenant_id"], unique=False
        )
    op.create_table(
        "job_failure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_aside_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_job_failure_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_failure")),
        sa.UniqueConstraint(
            "tenant_id", "task", "subject", name=op.f("uq_job_failure_tenant_id_task_subject")
        ),
    )
    with op.batch_alter_table("job_failure", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_job_failure_tenant_id"), ["tenant_id"], unique=False)
    op.create_table(
        "patient_merge",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("given_up_id", sa.Integer(), nullable=False),
        sa.Column("surviving_id", sa.Integer(), nullable=False),
        sa.Column("given_up_mrn", sa.String(), nullable=True),
        sa.Column("moved", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("merged_by", sa.String(), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["given_up_id"], ["patient.id"], name=op.f("fk_patient_merge_given_up_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["surviving_id"], ["patient.id"], name=op.f("fk_patient_merge_surviving_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_patient_merge_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_merge")),
    )
    with op.batch_alter_table("patient_merge", schema=None) as batch_op:
        for column in ("given_up_id", "surviving_id", "tenant_id"):
            batch_op.create_index(batch_op.f(f"ix_patient_merge_{column}"), [column], unique=False)
    with op.batch_alter_table("patient", schema=None) as batch_op:
        batch_op.add_column(sa.Column("merged_into_id", sa.Integer(), nullable=True))
    with op.batch_alter_table("tenant", schema=None) as batch_op:
        batch_op.add_column(sa.Column("population", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    # Not in a batch: SQLite would make the table anew, to which others refer.
    op.drop_column("tenant", "population")
    op.drop_column("patient", "merged_into_id")
    op.drop_table("patient_merge")
    op.drop_table("job_failure")
    op.drop_table("population_read")
