"""The audit packet of one claim, from the database."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.accounts import busy_times
from app.billing_office.claim_book import claim_row
from app.billing_office.claim_events import read_events
from app.billing_office.month import charge_key
from app.context import Context
from app.rtm_book import read_episodes, read_ledgers
from app.store import (
    ChargeApprovalRow,
    ClaimExportRow,
    ClaimLineRow,
    ClaimRow,
    LedgerFactRow,
    PatientRow,
    PractitionerRow,
    ProgramRow,
    SessionRow,
    Tenant,
    from_document,
    in_parts,
)
from billing.account import Account, Billed, EarlierEpisode
from billing.audit_model import (
    Approval,
    AuditPacket,
    DeviceSession,
    Evidence,
    Export,
    ProgramVersion,
    Recorded,
)
from billing.audit_packet import audit_packet, packet_json
from billing.audit_packet_pdf import audit_packet_pdf
from billing.claim_model import Claim
from billing.payers import MEDICARE, UNKNOWN_PAYER, load_payers
from rtm.exercises import load_library
from rtm.ledger import Ledger, ProviderKind
from rtm.program import PrescribedExercise, Program

PacketFormat = Literal["pdf", "json"]


def packet_file(
    context: Context, tenant_id: str, claim_id: str, format_: PacketFormat, by: str
) -> bytes:
    """The claim's packet as a file, made for `by`.

    Raises:
        ClaimUnknown: no claim of that id left from this health system.
        ClaimNotKept: it left before claims were kept whole: what the packet would have to show
            as sent is not at hand.
    """
    packet = read_packet(context, tenant_id, claim_id, by)
    if format_ == "pdf":
        return audit_packet_pdf(packet)
    return json.dumps(packet_json(packet), indent=1, ensure_ascii=False).encode()


def read_packet(context: Context, tenant_id: str, claim_id: str, by: str) -> AuditPacket:
    """Raises as `packet_file`."""
    with context.database.begin(tenant_id) as db:
        row = claim_row(db, claim_id)
        claim = from_document(Claim, row.document)
        export = db.get_one(ClaimExportRow, row.export_id)
        tenant = db.get_one(Tenant, tenant_id)
        left_on = tenant.local(export.exported_at).date()
        account = _account_then(db, tenant, row, claim, export, left_on)
        return audit_packet(
            claim,
            account,
            Export(export.format, export.control_number, export.sha256, export.exported_at),
            Evidence(
                recorded=_recorded(db, row.episode_id),
                programs=_programs(db, row.patient_id),
                sessions=_sessions(db, account.ledger),
                approvals=_approvals(db, row, claim),
                events=tuple(read_events(db, [claim_id])[claim_id]),
            ),
            Recorded(context.now(), by),
        )


def _account_then(
    db: Session, tenant: Tenant, row: ClaimRow, claim: Claim, export: ClaimExportRow, left_on: date
) -> Account:
    """The account in the claim's episode on the day it left, with every fact to date.

    What this service keeps no history of is taken from the claim: who was to pay, the kind of
    entity that billed, and the therapy amount that billing staff had entered.
    """
    patient = db.get_one(PatientRow, row.patient_id)
    episodes = read_episodes(db, [patient.id])[patient.id]
    place = next(n for n, episode in enumerate(episodes) if episode.id == row.episode_id)
    episode = episodes[place]
    kind = db.scalar(
        select(PractitionerRow.provider_kind).where(
            PractitionerRow.npi == (episode.practitioner_npi or "")
        )
    )
    return Account(
        time_zone=ZoneInfo(patient.time_zone),
        as_of=left_on,
        episode=episode,
        ledger=read_ledgers(db, [episode.id])[episode.id],
        payer=_payer_profile(claim, tenant.practice),
        billed=_billed_before(db, row, export),
        busy=tuple(busy_times(db, [patient.id], export.exported_at).get(patient.id, ())),
        entity=claim.billing_provider.entity,
        therapy_allowed_to_date=_allowed_to_date(claim),
        earlier_episodes=tuple(
            EarlierEpisode(e.start, e.end, e.plan_of_care) for e in episodes[:place]
        ),
        diagnoses=claim.diagnoses,
        practitioner_kind=cast("ProviderKind | None", kind),
    )


def _payer_profile(claim: Claim, practice: dict[str, Any]) -> str:
    """The profile by which the claim was made, as `app.accounts.payer_profile` chose it then."""
    if claim.payer.is_medicare:
        return MEDICARE
    chosen = practice.get("payer_profiles", {}).get(claim.payer.payer_id)
    return str(chosen) if chosen in load_payers() else UNKNOWN_PAYER


def _allowed_to_date(claim: Claim) -> Decimal | None:
    """What a line with KX gives as its reason; without one the sum did not matter."""
    for line in claim.lines:
        for reason in line.charge.reasons:
            if reason.rule.endswith(".therapy_threshold"):
                return Decimal(str(reason.facts["allowed_to_date"]))
    return None


def _billed_before(db: Session, row: ClaimRow, export: ClaimExportRow) -> tuple[Billed, ...]:
    """The patient's lines that had left and stood, but for those of a claim that this replaces."""
    replaced = _replaced(db, row)
    lines = db.execute(
        select(ClaimLineRow)
        .join(ClaimExportRow, ClaimExportRow.id == ClaimLineRow.export_id)
        .where(
            ClaimLineRow.patient_id == row.patient_id,
            ClaimLineRow.claim_id.not_in([row.claim_id, *replaced]),
            ClaimExportRow.id < export.id,
            or_(
                ClaimLineRow.released_at.is_(None),
                ClaimLineRow.released_at > export.exported_at,
            ),
        )
        .order_by(ClaimLineRow.id)
    ).scalars()
    return tuple(Billed(line.service_date, line.code, line.units) for line in lines)


def _replaced(db: Session, row: ClaimRow) -> list[str]:
    """The claims that this one replaces, one after the other."""
    found: list[str] = []
    earlier = row.replaces
    while earlier is not None and earlier not in found:
        found.append(earlier)
        earlier = db.scalar(select(ClaimRow.replaces).where(ClaimRow.claim_id == earlier))
    return found


def _recorded(db: Session, episode_id: str) -> dict[str, Recorded]:
    rows = db.execute(
        select(LedgerFactRow.id, LedgerFactRow.recorded_at, LedgerFactRow.recorded_by).where(
            LedgerFactRow.episode_id == episode_id
        )
    )
    return {id_: Recorded(at, by) for id_, at, by in rows}


def _programs(db: Session, patient_id: int) -> tuple[ProgramVersion, ...]:
    rows = db.execute(
        select(ProgramRow, PractitionerRow.name)
        .join(PractitionerRow, PractitionerRow.id == ProgramRow.signed_by)
        .where(ProgramRow.patient_id == patient_id)
        .order_by(ProgramRow.signed_at, ProgramRow.version)
    )
    return tuple(_program(row, signed_by) for row, signed_by in rows)


def _program(row: ProgramRow, signed_by: str) -> ProgramVersion:
    program = from_document(Program, row.document)
    return ProgramVersion(
        program_id=program.id,
        version=program.version,
        title=program.title,
        condition=f"{program.condition_code} {program.condition_display}",
        exercises=tuple(_dose_in_words(exercise) for exercise in program.exercises),
        start=program.start,
        end=program.end,
        signed=Recorded(row.signed_at, signed_by),
        careplan_reference=row.careplan_reference,
        read_back_at=row.read_back_at,
    )


def _dose_in_words(exercise: PrescribedExercise) -> str:
    name = load_library()[exercise.exercise_id].name["en"]
    dose = exercise.dose
    return f"{name}, {exercise.side}, {dose.sets} × {dose.repetitions}"


def _sessions(db: Session, ledger: Ledger) -> dict[str, DeviceSession]:
    ids = [day.session_id for day in ledger.days if day.session_id is not None]
    found: dict[str, DeviceSession] = {}
    for part in in_parts(ids):
        rows = db.scalars(select(SessionRow).where(SessionRow.id.in_(part)))
        found |= {row.id: _session(row) for row in rows}
    return found


def _session(row: SessionRow) -> DeviceSession:
    return DeviceSession(
        row.id, row.exercise_id, row.side, row.source, row.status, row.recording_sha256
    )


def _approvals(db: Session, row: ClaimRow, claim: Claim) -> tuple[Approval, ...]:
    keys = [charge_key(row.episode_id, line.charge) for line in claim.lines]
    rows = db.execute(
        select(ChargeApprovalRow, PractitionerRow.name)
        .join(PractitionerRow, PractitionerRow.id == ChargeApprovalRow.approved_by)
        .where(ChargeApprovalRow.charge_key.in_(keys))
    )
    return tuple(
        Approval(
            approval.code,
            approval.last,
            tuple(approval.modifiers.split(".")) if approval.modifiers else (),
            Recorded(approval.approved_at, name),
        )
        for approval, name in rows
    )
