"""Exporting a month's claims: each charge leaves once, and what left can be fetched again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer

from app.accounts import UnknownEntity, billing_entity
from app.billing_office.claim_book import keep_claims
from app.billing_office.close import Close, close_month
from app.billing_office.export_formats import (
    FACTS,
    ExportedFile,
    Format,
    FormatRefused,
    files_of,
    format_for,
)
from app.billing_office.leaving import Leaving, warnings_on
from app.billing_office.month import BadMonth, month_bounds
from app.context import Context
from app.ncci import deployment_edits
from app.store import (
    ClaimExportRow,
    ClaimLineRow,
    ClaimRow,
    CounterRow,
    Tenant,
    insert_rows,
    mark_all_stale,
)
from billing.edits import Edits, InvalidEdits
from billing.hl7_dft import Routing
from billing.x12_envelope import LARGEST_CONTROL_NUMBER, Interchange


class ExportRefused(ValueError):
    """Nothing can be exported; the message says why."""


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


def export_month(
    context: Context, tenant_id: str, month: str, asked: str, *, workers: int = 1
) -> ExportDone:
    """The month's claims in the format `asked` (837 is the entity's own), in as many files as
    there are receivers. Charges that left before are not in it; when nothing new is billable, the
    last files of this month and format are returned byte for byte. Of many patients `workers`
    processes take a part each.

    Raises:
        ExportRefused: bad month, a format in which this entity does not claim, control numbers
            used up, or nothing billable and nothing exported before.
        WorkerDied: a process ended; nothing was exported.
    """
    with context.database.begin(tenant_id) as db:
        tenant = db.get_one(Tenant, tenant_id)
        now = context.now().astimezone(ZoneInfo(tenant.time_zone))
        format_ = _format(tenant, asked)
        counter = lock_counter(db)
        close = close_of(context, tenant, month, format_, counter, now)
        found = month_leaving(context, db, close, workers)
        if not found.ready:
            return _again(db, month, format_, found.held)
        files = send(
            db, tenant, found.ready, month=month, format_=format_, counter=counter, now=now
        )
        return ExportDone(
            files=files,
            claim_count=len(found.ready),
            line_count=sum(len(leaving.lines) for leaving in found.ready),
            total=sum((leaving.total for leaving in found.ready), Decimal("0.00")),
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


def close_of(
    context: Context,
    tenant: Tenant,
    month: str,
    format_: Format,
    counter: CounterRow,
    now: datetime,
) -> Close:
    """Raises ExportRefused where a loaded table of NCCI edits is broken."""
    return Close(
        tenant_id=tenant.id,
        month=month,
        format=format_,
        routing=routing(tenant),
        edits=loaded_edits(context),
        number=counter.value + 1,
        now=now,
    )


def month_leaving(context: Context, db: Session, close: Close, workers: int = 1) -> Found:
    """Every claim of the month that may leave now, in the order of the patients' ids.

    The caller holds the lock of the counter. Raises ExportRefused for a bad month.
    """
    try:
        month_bounds(close.month)
    except BadMonth as error:
        raise ExportRefused(str(error)) from None
    ready: list[Leaving] = []
    waiting: list[str] = []
    held: list[str] = []
    for part in close_month(context.database, db, close, workers):
        ready += part.ready
        waiting += part.waiting
        held += part.held
    return Found(tuple(ready), (*waiting, *held), warnings_on(ready))


def loaded_edits(context: Context) -> Edits:
    """Raises ExportRefused where a loaded table is broken: nothing leaves unchecked by it."""
    try:
        return deployment_edits(context.settings)
    except InvalidEdits as error:
        raise ExportRefused(f"a loaded NCCI table can't be read: {error}") from None


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
    by_id = {leaving.claim_id: leaving for leaving in ready}
    parts = {leaving.claim_id: leaving.written for leaving in ready}
    files = files_of(format_, parts, Interchange(first, now, production))
    counter.value += len(files)
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
        total=str(sum((leaving.total for leaving in leavings), Decimal("0.00"))),
        batch=batch,
        receiver=file.receiver,
    )
    db.add(export)
    db.flush()
    keep_claims(db, export, leavings)
    insert_rows(
        db,
        ClaimLineRow,
        ({**line, "export_id": export.id} for leaving in leavings for line in leaving.lines),
    )
    mark_all_stale(db, [leaving.patient_id for leaving in leavings])


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
