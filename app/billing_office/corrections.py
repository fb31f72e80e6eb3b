"""Correcting (frequency 7) and voiding (8) a claim that the payer has: each a claim of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from app.billing_office.claim_book import ClaimNotKept, ClaimUnknown, claim_row
from app.billing_office.claim_events import (
    day_of_decision,
    pending_change,
    read_state,
    record_event,
    standing_lines,
)
from app.billing_office.claims import build_claim, read_basis
from app.billing_office.close import claim_id_of
from app.billing_office.export import (
    ExportBatch,
    ExportRefused,
    format_of,
    loaded_edits,
    lock_counter,
    routing,
)
from app.billing_office.export_formats import ExportedFile
from app.billing_office.leaving import Leaving, in_words, prepare
from app.billing_office.month import month_of
from app.context import Context
from app.store import ClaimExportRow, ClaimRow, PatientRow, Tenant, from_document
from billing.claim import ScrubFinding
from billing.claim_model import Claim
from billing.claim_state import ClaimEvent, ClaimState, objection
from billing.scrub import holds, scrub

ChangeKind = Literal["correction_sent", "void_sent"]


class ChangeRefused(ValueError):
    """The claim can't be corrected or voided; the message says why."""


@dataclass(frozen=True)
class ChangeDone:
    """The claim that corrects or voids, its file, and what the scrubber warns of."""

    claim_id: str
    file: ExportedFile
    warned: tuple[str, ...]


def correct(context: Context, tenant_id: str, claim_id: str, reason: str, by: str) -> ChangeDone:
    """Writes the claim anew from today's facts for the same patient and month, as a replacement.

    The charges of both stand once: those of the first that are on the replacement go over to it,
    the others stay until the payer has taken it.

    Raises:
        ChangeRefused: the claim is not known or was not kept, its state or format does not allow
            it, the payer's number is not known, today's facts give no charge, or the replacement
            is held; nothing is recorded then.
    """
    return _change(context, tenant_id, claim_id, reason, by, "correction_sent")


def void(context: Context, tenant_id: str, claim_id: str, reason: str, by: str) -> ChangeDone:
    """Sends the claim's lines as they were, as a void; they are free once the payer has taken it.

    Raises:
        ChangeRefused: as for `correct`.
    """
    return _change(context, tenant_id, claim_id, reason, by, "void_sent")


def objection_to(
    db: Session, row: ClaimRow, kind: ChangeKind, state: ClaimState | None = None
) -> str | None:
    """Why the claim can't be corrected or voided now; None where it can."""
    if row.format == "dft":
        return "it left as HL7 DFT, and the EHR's own billing corrects what it billed"
    if row.frequency == "8":
        return "it is a void itself"
    event = ClaimEvent(row.claim_id, kind, datetime.min.date(), "", reasons=("asked",))
    why = objection(state or read_state(db, row.claim_id), event)
    if why is not None:
        return why
    pending = pending_change(db, row.claim_id)
    if pending is not None:
        what = "void" if pending.frequency == "8" else "correction"
        return f"its {what} {pending.claim_id} was sent already"
    return None


def _change(
    context: Context, tenant_id: str, claim_id: str, reason: str, by: str, kind: ChangeKind
) -> ChangeDone:
    try:
        with context.database.begin(tenant_id) as db:
            return _changed(db, context, tenant_id, claim_id, reason, by, kind)
    except ExportRefused as error:
        raise ChangeRefused(f"claim {claim_id}: {error}") from None


def _changed(
    db: Session,
    context: Context,
    tenant_id: str,
    claim_id: str,
    reason: str,
    by: str,
    kind: ChangeKind,
) -> ChangeDone:
    """Raises ChangeRefused, or ExportRefused without the claim's name."""
    tenant = db.get_one(Tenant, tenant_id)
    now = tenant.local(context.now())
    counter = lock_counter(db)
    try:
        row = claim_row(db, claim_id)
    except (ClaimUnknown, ClaimNotKept) as error:
        raise ChangeRefused(str(error)) from None
    state = read_state(db, claim_id)
    why = objection_to(db, row, kind, state)
    if why is None and not reason:
        why = "a reason is needed"
    if why is not None:
        raise ChangeRefused(f"claim {claim_id}: {why}")
    export = db.get_one(ClaimExportRow, row.export_id)
    format_ = format_of(tenant, row.format)
    new_id = claim_id_of(counter.value + 1, row.patient_id)
    assert state.payer_claim_number is not None, "else objected"
    if kind == "void_sent":
        made: Claim | ScrubFinding = _void_of(row, new_id, state.payer_claim_number)
    else:
        made = _correction_of(db, tenant, row, export, new_id, state.payer_claim_number, now)
    edits = loaded_edits(context)
    if isinstance(made, ScrubFinding):
        findings: tuple[ScrubFinding, ...] = (made,)
    else:
        findings = scrub(made, now.date(), edits=edits)
    if isinstance(made, ScrubFinding) or holds(findings):
        why = "; ".join(in_words(f) for f in findings if f.severity == "hold")
        raise ChangeRefused(f"claim {claim_id}: held: {why}")
    patient = db.get_one(PatientRow, row.patient_id)
    one = prepare(format_, routing(tenant), now, patient, row.episode_id, made, findings, claim_id)
    if kind == "correction_sent":
        _hand_over(db, one, now)
    batch = ExportBatch(db, tenant, export.month, format_, counter, now)
    batch.add([one])
    (file,) = batch.finish()
    on = day_of_decision(db, tenant_id, claim_id, now)
    event = ClaimEvent(claim_id, kind, on, f"claim {new_id}", reasons=(reason,))
    record_event(db, event, at=context.now(), by=by)
    return ChangeDone(new_id, file, batch.warnings.in_words)


def _void_of(row: ClaimRow, new_id: str, payer_claim_number: str) -> Claim:
    sent = from_document(Claim, row.document)
    return replace(
        sent,
        id=new_id,
        frequency="8",
        payer_claim_number=payer_claim_number,
        lines=tuple(
            replace(line, id=f"{new_id}-{number}")
            for number, line in enumerate(sent.lines, start=1)
        ),
    )


def _correction_of(
    db: Session,
    tenant: Tenant,
    row: ClaimRow,
    export: ClaimExportRow,
    new_id: str,
    payer_claim_number: str,
    now: datetime,
) -> Claim | ScrubFinding:
    """Raises ChangeRefused where today's facts give nothing to charge, or not yet."""
    patient = db.get_one(PatientRow, row.patient_id)
    lines = standing_lines(db, row.claim_id)
    for line in lines:
        line.released_at = now  # for the tally, which would take them as billed
    db.flush()
    item = month_of(db, patient, export.month, now.date())
    for line in lines:
        line.released_at = None
    db.flush()
    if item is None or item.episode_id != row.episode_id:
        why = "it is of an earlier episode, whose facts are not tallied any more: void it"
        raise ChangeRefused(f"claim {row.claim_id}: {why}")
    if not item.charges:
        why = f"today's facts give no charge for {export.month} any more: void it"
        raise ChangeRefused(f"claim {row.claim_id}: {why}")
    if item.row.to_review:
        what = ", ".join(f"{charge.code} of {charge.last}" for charge in item.row.to_review)
        raise ChangeRefused(f"claim {row.claim_id}: {what} waits for review: approve it first")
    basis = read_basis(db, tenant, [patient.id])
    return build_claim(basis, item, new_id, frequency="7", payer_claim_number=payer_claim_number)


def _hand_over(db: Session, one: Leaving, now: datetime) -> None:
    """Frees the keys of the first claim's charges that the replacement bears as well."""
    assert one.replaces is not None, "a correction names its claim"
    taken = {line["charge_key"] for line in one.lines}
    for line in standing_lines(db, one.replaces):
        if line.charge_key in taken:
            line.released_at = now
    db.flush()
