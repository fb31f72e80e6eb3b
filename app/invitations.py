"""Inviting a patient to the portal by a code that works once.

The code is shown to the clinician once and kept as a keyed hash. Whoever knows it and the
patient's birth date may set the patient's own sign-in (`app.portal_accounts`).
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access_tries import begin_try, note_pass, tried_out
from app.context import Context
from app.keyed_hash import keyed_hash
from app.store import ALL_TENANTS, InvitationRow, PatientRow, PractitionerRow

# Crockford's idea of an alphabet without look-alikes, taken further: nothing here looks like
# another (0 O, 1 I L, 2 Z, 5 S, 6 G, 8 B, U V are out), and without vowels no code is a word.
ALPHABET = "34679CDFHJKMNPQRTWXY"
CODE_LENGTH = 10  # 43 bits
_GROUPS = (3, 3, 4)  # as a phone number is read aloud

_NO_DATE = "0000-00-00"

State = Literal["open", "expired", "tried out", "used", "revoked", "superseded"]


class InvitationRefused(ValueError):
    """Code and birth date do not open anything. Why is told to nobody: each reason alone would
    tell whether the code exists."""


@dataclass(frozen=True)
class Matched:
    """An invitation whose code and birth date were given."""

    tenant_id: str
    invitation_id: str


@dataclass(frozen=True)
class InvitationState:
    """An invitation as the care team sees it; `since` is when it came into this state."""

    id: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    state: State
    since: datetime


def make_invitation(
    context: Context, tenant_id: str, patient_id: int, practitioner_id: int
) -> tuple[InvitationRow, str]:
    """A new invitation and its code, as it is read aloud; earlier unused ones end."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    now = context.now()
    with context.database.begin(tenant_id) as db:
        # So that of two made at once one supersedes the other.
        db.scalars(select(PatientRow).where(PatientRow.id == patient_id).with_for_update()).one()
        _end_open(db, patient_id, "superseded", now)
        row = InvitationRow(
            id=str(uuid4()),
            patient_id=patient_id,
            code_hash=_code_hash(context, code),
            made_by=practitioner_id,
            made_at=now,
            expires_at=now + timedelta(days=context.settings.invitation_days),
        )
        db.add(row)
    return row, spaced(code)


def revoke_invitations(context: Context, tenant_id: str, patient_id: int) -> int:
    """Ends the patient's open invitation; how many there were."""
    with context.database.begin(tenant_id) as db:
        return _end_open(db, patient_id, "revoked", context.now())


def newest_invitation(context: Context, tenant_id: str, patient_id: int) -> InvitationState | None:
    with context.database.begin(tenant_id) as db:
        found = db.execute(
            select(InvitationRow, PractitionerRow.name)
            .join(PractitionerRow, PractitionerRow.id == InvitationRow.made_by)
            .where(InvitationRow.patient_id == patient_id)
            .order_by(InvitationRow.made_at.desc())
            .limit(1)
        ).one_or_none()
    if found is None:
        return None
    row, made_by = found
    state, since = _state(context, row)
    return InvitationState(row.id, made_by, row.made_at, row.expires_at, state, since)


def match_invitation(context: Context, code: str, birth_date: date, address: str) -> Matched:
    """The open invitation with this code, if it is for somebody born then.

    Whether the code exists makes no difference in what is read and written.

    Raises:
        InvitationRefused: in every other case.
    """
    code_hash = _code_hash(context, bare(code))
    attempt = begin_try(context, "join", code_hash, address)
    with context.database.begin(None) as db:
        # Only the code says which health system it is from, so the look-up can't name one yet.
        found = db.execute(
            select(InvitationRow, PatientRow.birth_date)
            .join(PatientRow, PatientRow.id == InvitationRow.patient_id)
            .where(InvitationRow.code_hash == code_hash),
            execution_options={ALL_TENANTS: True},
        ).one_or_none()
    row, born = (None, None) if found is None else found
    same_date = hmac.compare_digest(
        birth_date.isoformat(), _NO_DATE if born is None else born.isoformat()
    )
    good = row is not None and row.ended_at is None and row.expires_at > context.now()
    if row is None or not (good & same_date & attempt.allowed):
        raise InvitationRefused
    note_pass(context, attempt)
    return Matched(row.tenant_id, row.id)


def use_up(db: Session, invitation_id: str, now: datetime) -> InvitationRow:
    """Marks the invitation used, once. Raises InvitationRefused where it is not open any more."""
    row = db.scalar(
        select(InvitationRow).where(InvitationRow.id == invitation_id).with_for_update()
    )
    if row is None or row.ended_at is not None or row.expires_at <= now:
        raise InvitationRefused
    row.ended_at, row.ended_as = now, "used"
    return row


def spaced(code: str) -> str:
    """`HJK-4M7-XQRT`: in groups, to be read aloud and typed."""
    parts, start = [], 0
    for length in _GROUPS:
        parts.append(code[start : start + length])
        start += length
    return "-".join(parts)


def bare(code: str) -> str:
    """The code as typed by people, without what stands between its characters."""
    return "".join(character for character in code.upper() if character.isalnum())


def _state(context: Context, row: InvitationRow) -> tuple[State, datetime]:
    if row.ended_at is not None and row.ended_as is not None:
        return row.ended_as, row.ended_at  # type: ignore[return-value]  # written from a State
    if (at := tried_out(context, "join", row.code_hash)) is not None:
        return "tried out", at
    if row.expires_at <= context.now():
        return "expired", row.expires_at
    return "open", row.made_at


def _end_open(db: Session, patient_id: int, why: State, now: datetime) -> int:
    rows = db.scalars(
        select(InvitationRow)
        .where(InvitationRow.patient_id == patient_id, InvitationRow.ended_at.is_(None))
        .with_for_update()
    ).all()
    for row in rows:
        row.ended_at, row.ended_as = now, why
    return len(rows)


def _code_hash(context: Context, code: str) -> str:
    return keyed_hash(context, "portal invitation", code)
