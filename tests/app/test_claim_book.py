"""Claims at rest: as they left, never changed, and clear about those that were not kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.billing_office.claim_book import (
    ClaimNotKept,
    ClaimUnknown,
    claim_row,
    findings_of,
    read_claim,
)
from app.billing_office.export import export_month
from app.store import ClaimExportRow, ClaimIsFinal, ClaimLineRow, ClaimRow
from billing.x12_837p import write_837p
from billing.x12_envelope import Interchange
from tests.app.synthetic_practice import Monitored, write_practice, write_therapist
from tests.conftest import World

NOW = datetime(2026, 11, 5, 15, tzinfo=UTC)
MONTH, START = "2026-10", date(2026, 10, 2)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A practice on 5 November 2026 with two billable patients, exported."""
    made = make_world(worker=False)
    context = replace(made.context, now=lambda: NOW)
    with context.database.begin(made.tenant_id) as db:
        people = [Monitored(name, START, days=18, minutes=24, talk=True) for name in ("A", "B")]
        write_practice(db, made.tenant_id, people)
        write_therapist(db)
    export_month(context, made.tenant_id, MONTH, "837p")
    return replace(made, context=context)


def test_the_claims_read_back_write_the_very_file_that_left(world: World) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        export = db.scalars(select(ClaimExportRow)).one()
        ids = re.findall(r"CLM\*(\w+)\*", export.content)
        claims = [read_claim(db, claim_id) for claim_id in ids]
    local = NOW.astimezone(ZoneInfo("America/Chicago"))
    assert write_837p(claims, Interchange(export.control_number, local)) == export.content
    assert export.sha256 == hashlib.sha256(export.file_bytes).hexdigest()
    assert len(claims) == 2


def test_a_claim_keeps_the_reason_of_every_charge_and_what_the_scrubber_said(world: World) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        row = db.scalars(select(ClaimRow).order_by(ClaimRow.id)).first()
        assert row is not None
        claim, findings = read_claim(db, row.claim_id), findings_of(row)
        lines = db.scalars(select(ClaimLineRow).where(ClaimLineRow.claim_id == row.claim_id)).all()
    assert (row.format, row.frequency, row.replaces) == ("837p", "1", None)
    assert row.total == f"{claim.total}"
    assert [line.id for line in claim.lines] == [line.line_id for line in lines]
    for line in claim.lines:
        assert line.charge.reasons
        assert all(reason.rule and reason.source for reason in line.charge.reasons)
    assert {finding.field for finding in findings} >= {"coverage", "plan of care"}
    assert all(finding.severity == "warn" for finding in findings)


def test_a_claim_that_left_is_final(world: World) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        row = db.scalars(select(ClaimRow).limit(1)).one()
        row.total = "0.00"
        with pytest.raises(ClaimIsFinal, match="correct or void it"):
            db.flush()
        db.expunge(row)


def test_a_claim_that_never_left_and_one_that_was_not_kept_are_told_apart(world: World) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        with pytest.raises(ClaimUnknown, match="no claim HS-9 left from here"):
            read_claim(db, "HS-9")
        line = db.scalars(select(ClaimLineRow).limit(1)).one()
        line.claim_id = "0000100001"
        db.flush()
        with pytest.raises(ClaimNotKept, match="before claims were kept whole"):
            claim_row(db, "0000100001")
