"""Alerts belong to somebody, can be put off and handed on; rules of alerts by health system.

Revision: 0020
Follows: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# Those that were raised before belong to who signed the patient's newest program.
_WHOSE = """
    UPDATE alert SET practitioner_id = (
        SELECT program.signed_by FROM program WHERE program.patient_id = alert.patient_id
        ORDER BY program.signed_at DESC, program.version DESC LIMIT 1
    )
"""


def upgrade() -> None:
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.add_column(sa.Column("practitioner_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_alert_practitioner_id_practitioner"),
            "practitioner",
            ["practitioner_id"],
            ["id"],
        )
        batch_op.create_index(op.f("ix_alert_practitioner_id"), ["practitioner_id"])
    op.execute(_WHOSE)
    with op.batch_alter_table("patient", schema=None) as batch_op:
        batch_op.add_column(sa.Column("watched_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("tenant", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("alert_rules", sa.JSON(), nullable=False, server_default="{}")
        )
    op.create_table(
        "alert_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("to_practitioner_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alert.id"], name=op.f("fk_alert_step_alert_id_alert")
        ),
        sa.ForeignKeyConstraint(
            ["to_practitioner_id"],
            ["practitioner.id"],
            name=op.f("fk_alert_step_to_practitioner_id_practitioner"),
        ),
        sa.ForeignKeyConstraint(
            ["made_by"], ["practitioner.id"], name=op.f("fk_alert_step_made_by_practitioner")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_alert_step_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_step")),
    )
    for column in ("alert_id", "to_practitioner_id", "tenant_id"):
        op.create_index(op.f(f"ix_alert_step_{column}"), "alert_step", [column])


def downgrade() -> None:
    op.drop_table("alert_step")
    with op.batch_alter_table("tenant", schema=None) as batch_op:
        batch_op.drop_column("alert_rules")
    with op.batch_alter_table("patient", schema=None) as batch_op:
        batch_op.drop_column("watched_at")
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_alert_practitioner_id"))
        batch_op.drop_constraint(op.f("fk_alert_practitioner_id_practitioner"), type_="foreignkey")
        batch_op.drop_column("practitioner_id")
