"""Exporting a month's claims: each charge leaves once, and what left can be fetched again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing_office.claim_book import keep_claim
from app.billing_office.claims import build_claim
from app.billing_office.month import (
    BadMonth,
    PatientMonth,
    charge_key,
    charged_months,
    month_bounds,
    refresh,
)
from app.context import Context
from app.ncci import deployment_edits
from app.store import ClaimExportRow, ClaimLineRow, CounterRow, Tenant, mark_stale
from billing.claim import ScrubFinding
from billing.claim_model import Claim
from billing.cms1500 import cms1500_csv
from billing.edits import Edits, InvalidEdits
from billing.hl7_dft import Routing, dft_p03
from billing.scrub import holds, scrub
from billing.x12_837p import write_837p
from billing.x12_envelope import Interchange

Format = Literal["837p", "cms1500", "dft"]

# Patients tallied in one go.
_BATCH = 500


class ExportRefused(ValueError):
    """Nothing can be exported; the message says why."""


@dataclass(frozen=True)
class _Leaving:
    """A claim that may leave, the month it is of, and the warnings that go with it."""

    item: PatientMonth
    claim: Claim
    findings: tuple[ScrubFinding, ...]


@dataclass(frozen=True)
class ExportDone:
    """`held` names the claims that stayed back and why; `again` marks a file made before.

    `warned` says what somebody should know of the claims that left, each thing once.
    """

    content: str
    claim_count: int
    line_count: int
    total: Decimal
    held: tuple[str, ...]
    again: bool
    warned: tuple[str, ...] = ()


def export_month(context: Context, tenant_id: str, month: str, format_: str) -> ExportDone:
    """The month's claims as one file. Charges that left before are not in it; when nothing new
    is billable, the last file of this month and format is returned byte for byte.

    Raises:
        ExportRefused: bad month, or nothing billable and nothing exported before.
    """
    try:
        month_bounds(month)
    except BadMonth as error:
        raise ExportRefused(str(error)) from None
    with context.database.begin(tenant_id) as db:
        tenant = db.get_one(Tenant, tenant_id)
        now = context.now().astimezone(ZoneInfo(tenant.time_zone))
        # One export at a time for a tenant: the counter's row is the lock.
        counter = _counter(db, "interchange")
        while refresh(db, month, now.date(), context.now(), _BATCH) == _BATCH:
            pass
        reviewed, waiting = _without_review(charged_months(db, month))
        edits = _edits(context)
        ready, held, warned = _scrubbed(db, tenant, reviewed, counter.value + 1, now.date(), edits)
        held = (*waiting, *held)
        if not ready:
            return _again(db, month, format_, held)
        counter.value += 1
        claims = [leaving.claim for leaving in ready]
        content = _write(claims, format_, tenant, counter.value, now, [r.item for r in ready])
        _record(db, context, month, format_, counter.value, content, ready)
        return ExportDone(
            content=content,
            claim_count=len(claims),
            line_count=sum(len(claim.lines) for claim in claims),
            total=sum((claim.total for claim in claims), Decimal("0.00")),
            held=held,
            again=False,
            warned=warned,
        )


def exports_of(db: Session, month: str) -> Sequence[ClaimExportRow]:
    """The files made of this month so far, newest first."""
    return db.scalars(
        select(ClaimExportRow)
        .where(ClaimExportRow.month == month)
        .order_by(ClaimExportRow.id.desc())
    ).all()


def _without_review(months: Sequence[PatientMonth]) -> tuple[list[PatientMonth], tuple[str, ...]]:
    """The months without the charges that a person must look at first, and what stays back."""
    reviewed: list[PatientMonth] = []
    waiting: list[str] = []
    for item in months:
        row = item.row
        waiting += [f"{charge.code} of {charge.last} waits for review" for charge in row.to_review]
        leaving = tuple(charge for charge in row.charges if charge not in row.to_review)
        if leaving:
            reviewed.append(replace(item, row=replace(row, charges=leaving)))
    return reviewed, tuple(waiting)


def _edits(context: Context) -> Edits:
    """Raises ExportRefused where a loaded table is broken: nothing leaves unchecked by it."""
    try:
        return deployment_edits(context.settings)
    except InvalidEdits as error:
        raise ExportRefused(f"a loaded NCCI table can't be read: {error}") from None


def _scrubbed(
    db: Session,
    tenant: Tenant,
    billable: Sequence[PatientMonth],
    number: int,
    today: date,
    edits: Edits,
) -> tuple[list[_Leaving], tuple[str, ...], tuple[str, ...]]:
    """The claims that may leave, why others stay, and warnings on those that leave."""
    ready: list[_Leaving] = []
    held: list[str] = []
    warned: dict[str, list[str]] = {}
    for item in billable:
        # New in every export: what it names (CLM01, FT1-2, MSH-10) must never repeat.
        claim_id = f"{number:05d}{item.patient.id:05d}"
        claim = build_claim(db, tenant, item, claim_id)
        findings = (claim,) if isinstance(claim, ScrubFinding) else scrub(claim, today, edits=edits)
        if isinstance(claim, Claim) and not holds(findings):
            ready.append(_Leaving(item, claim, findings))
            for finding in findings:
                text = f"{finding.field}: {finding.why}; {finding.mend}"
                warned.setdefault(text, []).append(claim_id)
        else:
            held += [_in_words(finding) for finding in findings]
    return ready, tuple(held), tuple(f"{', '.join(ids)}: {text}" for text, ids in warned.items())


def _in_words(finding: ScrubFinding) -> str:
    mend = f"; {finding.mend}" if finding.mend else ""
    return f"{finding.claim_id}: {finding.field} {finding.why}{mend}"


def _write(
    claims: Sequence[Claim],
    format_: str,
    tenant: Tenant,
    number: int,
    now: datetime,
    items: Sequence[PatientMonth],
) -> str:
    if format_ == "837p":
        production = bool(tenant.practice.get("production", False))
        return write_837p(claims, Interchange(number, now, production))
    if format_ == "cms1500":
        return cms1500_csv(claims)
    routing = Routing("HOMESTRETCH", tenant.id, "EHR", tenant.id)
    return "\n".join(
        dft_p03(
            claim,
            routing,
            now,
            patient_mrn=item.patient.demographics.get("mrn") or item.patient.fhir_id,
            control_id=f"{claim.id}",
        )
        for claim, item in zip(claims, items, strict=True)
    )


def _record(
    db: Session,
    context: Context,
    month: str,
    format_: str,
    number: int,
    content: str,
    ready: Sequence[_Leaving],
) -> None:
    export = ClaimExportRow(
        month=month,
        format=format_,
        control_number=number,
        exported_at=context.now(),
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        content=content,
        claim_count=len(ready),
        total=str(sum((leaving.claim.total for leaving in ready), Decimal("0.00"))),
        batch=number,
    )
    db.add(export)
    db.flush()
    for leaving in ready:
        item, claim = leaving.item, leaving.claim
        mark_stale(db, item.patient.id)
        keep_claim(
            db,
            export,
            claim,
            leaving.findings,
            patient_id=item.patient.id,
            episode_id=item.episode_id,
        )
        for line in claim.lines:
            charge = line.charge
            db.add(
                ClaimLineRow(
                    export_id=export.id,
                    patient_id=item.patient.id,
                    episode_id=item.episode_id,
                    charge_key=charge_key(item.episode_id, charge),
                    code=charge.code,
                    units=charge.units,
                    service_date=charge.service_date,
                    claim_id=claim.id,
                    line_id=line.id,
                    modifiers=list(charge.modifiers),
                )
            )


def _again(db: Session, month: str, format_: str, held: tuple[str, ...]) -> ExportDone:
    last = db.scalar(
        select(ClaimExportRow)
        .where(ClaimExportRow.month == month, ClaimExportRow.format == format_)
        .order_by(ClaimExportRow.id.desc())
        .limit(1)
    )
    if last is None:
        why = f"; held: {'; '.join(held)}" if held else ""
        raise ExportRefused(f"nothing new is billable in {month} as {format_}{why}")
    lines = db.scalars(select(ClaimLineRow).where(ClaimLineRow.export_id == last.id)).all()
    return ExportDone(last.content, last.claim_count, len(lines), Decimal(last.total), held, True)


def _counter(db: Session, name: str) -> CounterRow:
    row = db.scalar(select(CounterRow).where(CounterRow.name == name).with_for_update())
    if row is None:
        row = CounterRow(name=name, value=0)
        db.add(row)
        db.flush()
    return row
