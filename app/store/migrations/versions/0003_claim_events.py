"""claim events: what came back, and charges that may leave again

Revision: 0003
Follows: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "claim_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.String(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_claim_file_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim_file")),
        sa.UniqueConstraint("tenant_id", "sha256", name=op.f("uq_claim_file_tenant_id_sha256")),
    )
    with op.batch_alter_table("claim_file", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_claim_file_tenant_id"), ["tenant_id"], unique=False)

    op.create_table(
        "claim_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("file_id", sa.Integer(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["claim_file.id"], name=op.f("fk_claim_event_file_id_claim_file")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_claim_event_tenant_id_tenant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim_event")),
        sa.UniqueConstraint("tenant_id", "digest", name=op.f("uq_claim_event_tenant_id_digest")),
    )
    with op.batch_alter_table("claim_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_claim_event_claim_id"), ["claim_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_claim_event_tenant_id"), ["tenant_id"], unique=False)

    with op.batch_alter_table("claim_line", schema=None) as batch_op:
        batch_op.add_column(sa.Column("claim_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("line_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("modifiers", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("released_at", sa.DateTime(timezone=True), nullable=True))
    _name_earlier_lines()
    with op.batch_alter_table("claim_line", schema=None) as batch_op:
        batch_op.alter_column("claim_id", existing_type=sa.String(), nullable=False)
        batch_op.alter_column("line_id", existing_type=sa.String(), nullable=False)
        batch_op.alter_column("modifiers", existing_type=sa.JSON(), nullable=False)
        batch_op.drop_constraint(batch_op.f("uq_claim_line_tenant_id_charge_key"), type_="unique")
        batch_op.create_index(batch_op.f("ix_claim_line_claim_id"), ["claim_id"], unique=False)
    op.create_index(
        "uq_claim_line_standing_charge",
        "claim_line",
        ["tenant_id", "charge_key"],
        unique=True,
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )


def _name_earlier_lines() -> None:
    """Lines that left before bore names made of the export's number, the patient and their place
    on the claim (0001's exporter); the charge key ends with the modifiers."""
    line = sa.table(
        "claim_line",
        *(sa.column(name) for name in ("id", "export_id", "patient_id", "charge_key")),
        sa.column("claim_id"),
        sa.column("line_id"),
        sa.column("modifiers", sa.JSON()),
    )
    export = sa.table("claim_export", sa.column("id"), sa.column("control_number"))
    connection = op.get_bind()
    rows = connection.execute(
        sa.select(line.c.id, line.c.patient_id, line.c.charge_key, export.c.control_number)
        .join_from(line, export, line.c.export_id == export.c.id)
        .order_by(line.c.id)
    ).all()
    places: dict[str, int] = {}
    for row_id, patient_id, charge_key, number in rows:
        claim_id = f"{number:05d}{patient_id:05d}"
        places[claim_id] = places.get(claim_id, 0) + 1
        modifiers = charge_key.rsplit(":", 1)[1]
        connection.execute(
            sa.update(line)
            .where(line.c.id == row_id)
            .values(
                claim_id=claim_id,
                line_id=f"{claim_id}-{places[claim_id]}",
                modifiers=modifiers.split(".") if modifiers else [],
            )
        )


def downgrade() -> None:
    op.drop_index("uq_claim_line_standing_charge", table_name="claim_line")
    with op.batch_alter_table("claim_line", schema=None) as batch_op:
        batch_op.create_unique_constraint(
            batch_op.f("uq_claim_line_tenant_id_charge_key"), ["tenant_id", "charge_key"]
        )
        batch_op.drop_index(batch_op.f("ix_claim_line_claim_id"))
        batch_op.drop_column("released_at")
        batch_op.drop_column("modifiers")
        batch_op.drop_column("line_id")
        batch_op.drop_column("claim_id")
    op.drop_table("claim_event")
    op.drop_table("claim_file")
