"""what is asked after a session, safety questions and alerts

Revision: 0012
Follows: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_FEEDBACK = (
    ("effort", sa.Integer()),
    ("difficulty", sa.String()),
    ("note", sa.String()),
    ("stopped_reason", sa.String()),
)


def upgrade() -> None:
    with op.batch_alter_table("session") as table:
        for name, kind in _FEEDBACK:
            table.add_column(sa.Column(name, kind, nullable=True))
    op.create_table(
        "safety_screen",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("program_row_id", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_safety_screen_patient_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["program_row_id"], ["program.id"], name=op.f("fk_safety_screen_program_row_id_program")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_safety_screen_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_safety_screen")),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_alert_patient_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_alert_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sa.UniqueConstraint(
            "tenant_id", "kind", "cause", name=op.f("uq_alert_tenant_id_kind_cause")
        ),
    )
    op.create_table(
        "alert_acknowledgement",
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("acknowledged_by", sa.Integer(), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alert.id"], name=op.f("fk_alert_acknowledgement_alert_id_alert")
        ),
        sa.ForeignKeyConstraint(
            ["acknowledged_by"],
            ["practitioner.id"],
            name=op.f("fk_alert_acknowledgement_acknowledged_by_practitioner"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_alert_acknowledgement_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alert_acknowledgement")),
    )
    for table_name, column in (
        ("safety_screen", "patient_id"),
        ("safety_screen", "tenant_id"),
        ("alert", "patient_id"),
        ("alert", "tenant_id"),
        ("alert_acknowledgement", "tenant_id"),
    ):
        op.create_index(op.f(f"ix_{table_name}_{column}"), table_name, [column])


def downgrade() -> None:
    op.drop_table("alert_acknowledgement")
    op.drop_table("alert")
    op.drop_table("safety_screen")
    with op.batch_alter_table("session") as table:
        for name, _ in reversed(_FEEDBACK):
            table.drop_column(name)
