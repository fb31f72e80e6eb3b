"""Exporting a month's claims: each charge leaves once, and what left can be fetched again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer

from app.accounts import UnknownEntity, billing_entity
from app.billing_office.claim_book import keep_claim
from app.billing_office.claims import build_claim, read_basis
from app.billing_office.export_formats import (
    FACTS,
    ExportedFile,
    Format,
    FormatRefused,
    Outgoing,
    format_for,
    write_files,
)
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
from app.store import (
    ClaimExportRow,
    ClaimLineRow,
    ClaimRow,
    CounterRow,
    PatientRow,
    Tenant,
    mark_all_stale,
)
from billing.claim import ScrubFinding
from billing.claim_model import Claim
from billing.edits import Edits, InvalidEdits
from billing.hl7_dft import Routing
from billing.scrub import holds, scrub
from billing.x12_envelope import LARGEST_CONTROL_NUMBER, Interchange

# Patients tallied, and claims built, in one go.
_BATCH = 500


class ExportRefused(ValueError):
    """Nothing can be exported; the message says why."""


@dataclass(frozen=True)
class Leaving:
    """A claim that may leave, whose it is, and the warnings that go with it.

    `replaces` names our earlier claim that it corrects or voids.
    """

    patient: PatientRow
    episode_id: str
    claim: Claim
    findings: tuple[ScrubFinding, ...]
    replaces: str | None = None

    @property
    def outgoing(self) -> Outgoing:
        patient = self.patient
        coverage = patient.billing.get("coverage") or {}
        mrn = patient.demographics.get("mrn") or patient.fhir_id
        return Outgoing(self.claim, patient.fhir_id, mrn, coverage.get("id"))


@dataclass(frozen=True)
class ExportDone:
    """`held` names the claims that stayed back and why; `again` marks files made before.

    `warned` says what somebody should know of the claims that left, each thing once.
    """

    files: tuple[ExportedFile, ...]
    claim_count: int
    line_count: int
    total: Decimal
    held: tuple[str, ...]
    again: bool
    warned: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """The text of the only file. Raises ValueError where there are several."""
        (file,) = self.files
        return file.data.decode()


def export_month(context: Context, tenant_id: str, month: str, asked: str) -> ExportDone:
    """The month's claims in the format `asked` (837 is the entity's own), in as many files as
    there are receivers. Charges that left before are not in it; when nothing new is billable, the
    last files of this month and format are returned byte for byte.

    Raises:
        ExportRefused: bad month, a format in which this entity does not claim, control numbers
            used up, or nothing billable and nothing exported before.
    """
    with context.database.begin(tenant_id) as db:
        tenant = db.get_one(Tenant, tenant_id)
        now = context.now().astimezone(ZoneInfo(tenant.time_zone))
        format_ = _format(tenant, asked)
        counter = lock_counter(db)
        found = month_leaving(context, db, tenant, month, counter.value + 1, now)
        if not found.ready:
            return _again(db, month, format_, found.held)
        files = send(
            db, tenant, found.ready, month=month, format_=format_, counter=counter, now=now
        )
        claims = [leaving.claim for leaving in found.ready]
        return ExportDone(
            files=files,
            claim_count=len(claims),
            line_count=sum(len(claim.lines) for claim in claims),
            total=sum((claim.total for claim in claims), Decimal("0.00")),
            held=found.held,
            again=False,
            warned=found.warned,
        )


@dataclass(frozen=True)
class Found:
    """What of a month may leave, what stays back and why, and the warnings, each once."""

    ready: tuple[Leaving, ...]
    held: tuple[str, ...]
    warned: tuple[str, ...]


def month_leaving(
    context: Context, db: Session, tenant: Tenant, month: str, number: int, now: datetime
) -> Found:
    """Every claim of the month that may leave now, under claim ids made of `number`.

    The caller holds the lock of the counter. Raises ExportRefused for a bad month or entity, or a
    broken table of NCCI edits.
    """
    try:
        month_bounds(month)
    except BadMonth as error:
        raise ExportRefused(str(error)) from None
    while refresh(db, month, now.date(), context.now(), _BATCH, wait=True) == _BATCH:
        pass
    reviewed, waiting = _without_review(charged_months(db, month))
    edits = loaded_edits(context)
    ready: list[Leaving] = []
    held: list[str] = list(waiting)
    for start in range(0, len(reviewed), _BATCH):
        items = reviewed[start : start + _BATCH]
        basis = read_basis(db, tenant, [item.patient.id for item in items])
        for item in items:
            claim = build_claim(basis, item, claim_id_of(number, item.patient.id))
            findings = (
                (claim,)
                if isinstance(claim, ScrubFinding)
                else scrub(claim, now.date(), edits=edits)
            )
            if isinstance(claim, ScrubFinding) or holds(findings):
                held += [in_words(finding) for finding in findings]
            else:
                ready.append(Leaving(item.patient, item.episode_id, claim, findings))
    return Found(tuple(ready), tuple(held), warnings_on(ready))


def loaded_edits(context: Context) -> Edits:
    """Raises ExportRefused where a loaded table is broken: nothing leaves unchecked by it."""
    try:
        return deployment_edits(context.settings)
    except InvalidEdits as error:
        raise ExportRefused(f"a loaded NCCI table can't be read: {error}") from None


def claim_id_of(number: int, patient_id: int) -> str:
    """CLM01, new in every export: what it names (CLM01, FT1-2, MSH-10) must never repeat.

    `number` is a control number that is used for nothing else.
    """
    return f"{number:05d}{patient_id:05d}"


def in_words(finding: ScrubFinding) -> str:
    mend = f"; {finding.mend}" if finding.mend else ""
    return f"{finding.claim_id}: {finding.field} {finding.why}{mend}"


def lock_counter(db: Session) -> CounterRow:
    """The interchange counter, locked until the transaction ends: one export at a time for a
    tenant, and no control number twice."""
    query = select(CounterRow).where(CounterRow.name == "interchange").with_for_update()
    row = db.scalar(query)
    if row is not None:
        return row
    try:
        with db.begin_nested():
            db.add(CounterRow(name="interchange", value=0))
    except IntegrityError:
        pass  # another first export was quicker; its row is waited for and locked below
    return db.scalars(query.execution_options(populate_existing=True)).one()


def send(
    db: Session,
    tenant: Tenant,
    ready: Sequence[Leaving],
    *,
    month: str,
    format_: Format,
    counter: CounterRow,
    now: datetime,
) -> tuple[ExportedFile, ...]:
    """Writes the files of `ready` and keeps them with their claims; `now` is local.

    Raises:
        ExportRefused: the control numbers are used up.
    """
    first = counter.value + 1
    if first + len(ready) - 1 > LARGEST_CONTROL_NUMBER:
        raise ExportRefused(f"the control numbers run out after {LARGEST_CONTROL_NUMBER}")
    production = bool(tenant.practice.get("production", False))
    files = write_files(
        format_,
        [leaving.outgoing for leaving in ready],
        Interchange(first, now, production),
        routing(tenant),
    )
    counter.value += len(files)
    by_id = {leaving.claim.id: leaving for leaving in ready}
    for file in files:
        leavings = [by_id[id_] for id_ in file.claim_ids]
        _record(db, file, leavings, month=month, batch=first, now=now)
    db.flush()
    return files


def routing(tenant: Tenant) -> Routing:
    """MSH-3 to MSH-6, as the practice's record has them for its interface engine."""
    dft = tenant.practice.get("dft", {})
    return Routing(
        dft.get("sending_application", "HOMESTRETCH"),
        dft.get("sending_facility", tenant.id),
        dft.get("receiving_application", "EHR"),
        dft.get("receiving_facility", tenant.id),
    )


def exports_of(db: Session, month: str) -> Sequence[ClaimExportRow]:
    """The files made of this month so far, newest first, without their bytes."""
    return db.scalars(
        select(ClaimExportRow)
        .where(ClaimExportRow.month == month)
        .options(defer(ClaimExportRow.content), defer(ClaimExportRow.data))
        .order_by(ClaimExportRow.id.desc())
    ).all()


def exported_file(export: ClaimExportRow) -> ExportedFile:
    """The file of a stored export, without the names of its claims."""
    return ExportedFile(
        export.format,  # type: ignore[arg-type]  # written by `_record` alone
        export.control_number,
        export.receiver,
        export.file_bytes,
        (),
    )


def _format(tenant: Tenant, asked: str) -> Format:
    try:
        return format_for(asked, billing_entity(tenant.practice))
    except (FormatRefused, UnknownEntity) as error:
        raise ExportRefused(str(error)) from None


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


def warnings_on(ready: Sequence[Leaving]) -> tuple[str, ...]:
    """What the scrubber warns of, each thing once with the claims it is about."""
    warned: dict[str, list[str]] = {}
    for leaving in ready:
        for finding in leaving.findings:
            text = f"{finding.field}: {finding.why}; {finding.mend}"
            warned.setdefault(text, []).append(leaving.claim.id)
    return tuple(f"{', '.join(ids)}: {text}" for text, ids in warned.items())


def _record(
    db: Session,
    file: ExportedFile,
    leavings: Sequence[Leaving],
    *,
    month: str,
    batch: int,
    now: datetime,
) -> None:
    is_text = file.format != "cms1500-pdf"
    export = ClaimExportRow(
        month=month,
        format=file.format,
        control_number=file.control_number,
        exported_at=now,
        sha256=hashlib.sha256(file.data).hexdigest(),
        content=file.data.decode() if is_text else "",
        data=None if is_text else file.data,
        claim_count=len(leavings),
        total=str(sum((leaving.claim.total for leaving in leavings), Decimal("0.00"))),
        batch=batch,
        receiver=file.receiver,
    )
    db.add(export)
    db.flush()
    for leaving in leavings:
        claim = leaving.claim
        keep_claim(
            db,
            export,
            claim,
            leaving.findings,
            patient_id=leaving.patient.id,
            episode_id=leaving.episode_id,
            replaces=leaving.replaces,
        )
        if claim.frequency == "8":
            continue  # takes charges back, and makes none
        for line in claim.lines:
            charge = line.charge
            db.add(
                ClaimLineRow(
                    export_id=export.id,
                    patient_id=leaving.patient.id,
                    episode_id=leaving.episode_id,
                    charge_key=charge_key(leaving.episode_id, charge),
                    code=charge.code,
                    units=charge.units,
                    service_date=charge.service_date,
                    claim_id=claim.id,
                    line_id=line.id,
                    modifiers=list(charge.modifiers),
                )
            )
    mark_all_stale(db, [leaving.patient.id for leaving in leavings])


def _again(db: Session, month: str, format_: Format, held: tuple[str, ...]) -> ExportDone:
    """The files of the last export of this month and format; those of a correction are none."""
    corrections = select(ClaimRow.export_id).where(ClaimRow.replaces.is_not(None))
    last = db.scalar(
        select(ClaimExportRow)
        .where(
            ClaimExportRow.month == month,
            ClaimExportRow.format == format_,
            ClaimExportRow.id.not_in(corrections),
        )
        .order_by(ClaimExportRow.id.desc())
        .limit(1)
    )
    if last is None:
        why = f"; held: {'; '.join(held)}" if held else ""
        name = FACTS[format_].label
        raise ExportRefused(f"nothing new is billable in {month} as {name}{why}")
    exports = [last]
    if last.batch is not None:
        query = select(ClaimExportRow).where(ClaimExportRow.batch == last.batch)
        exports = list(db.scalars(query.order_by(ClaimExportRow.id)))
    lines = db.scalar(
        select(func.count(ClaimLineRow.id)).where(
            ClaimLineRow.export_id.in_([export.id for export in exports])
        )
    )
    return ExportDone(
        files=tuple(exported_file(export) for export in exports),
        claim_count=sum(export.claim_count for export in exports),
        line_count=lines or 0,
        total=sum((Decimal(export.total) for export in exports), Decimal("0.00")),
        held=held,
        again=True,
    )
