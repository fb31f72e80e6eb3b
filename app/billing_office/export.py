"""Exporting a month's claims: each charge leaves once, and what left can be fetched again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

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
    Receiver,
    Written,
    files_of,
    format_for,
    receiver_of,
)
from app.billing_office.leaving import Leaving, Warnings
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
        format_ = format_of(tenant, asked)
        done = send_month(context, db, tenant, month, format_, workers)
        return done if done.files else _again(db, month, format_, done.held)


def send_month(
    context: Context, db: Session, tenant: Tenant, month: str, format_: Format, workers: int = 1
) -> ExportDone:
    """Sends every claim of the month that may leave now, in the order of the patients' ids; no
    files where there is none.

    Raises:
        ExportRefused: bad month, a broken table of NCCI edits, or the control numbers are used up.
    """
    try:
        month_bounds(month)
    except BadMonth as error:
        raise ExportRefused(str(error)) from None
    now = tenant.local(context.now())
    counter = lock_counter(db)
    close = Close(
        tenant_id=tenant.id,
        month=month,
        format=format_,
        routing=routing(tenant),
        edits=loaded_edits(context),
        number=counter.value + 1,
        now=now,
    )
    batch = ExportBatch(db, tenant, month, format_, counter, now)
    waiting: list[str] = []
    held: list[str] = []
    for part in close_month(context.database, db, close, workers):
        batch.add(part.ready)
        waiting += part.waiting
        held += part.held
    return ExportDone(
        files=batch.finish(),
        claim_count=batch.claim_count,
        line_count=batch.line_count,
        total=batch.total,
        held=(*waiting, *held),
        again=False,
        warned=batch.warnings.in_words,
    )


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


class ExportBatch:
    """The files of one export while they come about.

    Claims are kept as they are added, each with the export it will be in; the files are written at
    the end. Of many claims only what a file needs of them is held in memory.
    """

    def __init__(
        self,
        db: Session,
        tenant: Tenant,
        month: str,
        format_: Format,
        counter: CounterRow,
        now: datetime,
    ) -> None:
        """The caller holds the lock of `counter`; `now` is local."""
        self.claim_count, self.line_count, self.total = 0, 0, Decimal("0.00")
        self.warnings = Warnings()
        self._db, self._month, self._format, self._now = db, month, format_, now
        self._counter, self._first = counter, counter.value + 1
        self._production = bool(tenant.practice.get("production", False))
        self._exports: dict[Receiver, ClaimExportRow] = {}
        self._written: dict[str, Written] = {}
        self._totals: dict[int, Decimal] = {}

    def add(self, claims: Sequence[Leaving]) -> None:
        """Keeps `claims` and takes their charges.

        Raises:
            ExportRefused: the control numbers are used up.
        """
        by_receiver: dict[Receiver, list[Leaving]] = {}
        for claim in claims:
            by_receiver.setdefault(receiver_of(claim.written), []).append(claim)
            self._written[claim.claim_id] = claim.written
        for receiver, theirs in by_receiver.items():
            export = self._exports.get(receiver) or self._begin(receiver)
            keep_claims(self._db, export, theirs)
            lines = [{**line, "export_id": export.id} for claim in theirs for line in claim.lines]
            insert_rows(self._db, ClaimLineRow, lines)
            mark_all_stale(self._db, [claim.patient_id for claim in theirs])
            self.claim_count += len(theirs)
            self.line_count += len(lines)
            self._totals[export.control_number] += sum(
                (claim.total for claim in theirs), Decimal("0.00")
            )
        self.total = sum(self._totals.values(), Decimal("0.00"))
        self.warnings.add(claims)

    def finish(self) -> tuple[ExportedFile, ...]:
        """The files, stored; none where nothing was added."""
        if not self._written:
            return ()
        interchange = Interchange(self._first, self._now, self._production)
        files = files_of(self._format, self._written, interchange)
        exports = {export.control_number: export for export in self._exports.values()}
        for file in files:
            export = exports[file.control_number]
            is_text = file.format != "cms1500-pdf"
            export.sha256 = hashlib.sha256(file.data).hexdigest()
            export.content = file.data.decode() if is_text else ""
            export.data = None if is_text else file.data
            export.claim_count = len(file.claim_ids)
            export.total = str(self._totals[file.control_number])
            export.receiver = file.receiver
        self._counter.value += len(files)
        self._db.flush()
        return files

    def _begin(self, receiver: Receiver) -> ClaimExportRow:
        """A row for the next file; what is in it comes at the end."""
        number = self._first + len(self._exports)
        if number > LARGEST_CONTROL_NUMBER:
            raise ExportRefused(f"the control numbers run out after {LARGEST_CONTROL_NUMBER}")
        export = ClaimExportRow(
            month=self._month,
            format=self._format,
            control_number=number,
            exported_at=self._now,
            sha256="",
            content="",
            claim_count=0,
            total="0.00",
            batch=self._first,
        )
        self._db.add(export)
        self._db.flush()
        self._exports[receiver] = export
        self._totals[number] = Decimal("0.00")
        return export


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
        export.format,  # type: ignore[arg-type]  # written by `ExportBatch` alone
        export.control_number,
        export.receiver,
        export.file_bytes,
        (),
    )


def format_of(tenant: Tenant, asked: str) -> Format:
    """Raises ExportRefused for a format in which this entity does not claim."""
    try:
        return format_for(asked, billing_entity(tenant.practice))
    except (FormatRefused, UnknownEntity) as error:
        raise ExportRefused(str(error)) from None


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
