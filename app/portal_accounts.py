"""A patient's own sign-in to the portal: a name and a password that they chose when they joined.

Who forgot them joins again with a new invitation; nothing is sent by e-mail.
"""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from app.access_tries import begin_try, note_pass
from app.context import Context
from app.invitations import Matched, use_up
from app.keyed_hash import keyed_hash
from app.store import PortalAccountRow, SignInRow

# NIST SP 800-63B-4, 3.1.1.2: at least 15 characters where a password is the only factor, at least
# 64 allowed, no rules of composition.
LEAST_PASSWORD, MOST_PASSWORD = 15, 128
LEAST_NAME, MOST_NAME = 3, 254


class NameTaken(ValueError):
    """Another patient of this health system has this sign-in name."""


class SignInRefused(ValueError):
    """Name and password do not belong together, or were tried too often: it is not told which."""


def folded(name: str) -> str:
    """A sign-in name as it is compared: without regard to case, width and outer spaces."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def is_easy_to_guess(password: str, name: str) -> bool:
    """Whether it holds the sign-in name, or is little more than one thing repeated."""
    plain = folded(password)
    return folded(name) in plain or len(set(plain)) < 5


def join(context: Context, matched: Matched, name: str, password: str) -> PortalAccountRow:
    """Uses the invitation up and sets the patient's sign-in, in place of an earlier one.

    Sign-ins under the earlier one end. The caller has checked the lengths.

    Raises:
        InvitationRefused: the invitation was used, revoked or superseded, or ran out, meanwhile.
        NameTaken: nothing was changed.
    """
    hashed, now = generate_password_hash(_normal(password)), context.now()
    try:
        with context.database.begin(matched.tenant_id) as db:
            patient_id = use_up(db, matched.invitation_id, now).patient_id
            account = db.scalar(
                select(PortalAccountRow).where(PortalAccountRow.patient_id == patient_id)
            )
            if account is None:
                account = PortalAccountRow(patient_id=patient_id)
                db.add(account)
            else:
                _end_sign_ins(context, db, account)
            account.sign_in_name, account.password_hash = folded(name), hashed
            account.set_at = now
            return account
    except IntegrityError:
        raise NameTaken from None


def check_sign_in(
    context: Context, tenant_id: str, name: str, password: str, address: str
) -> PortalAccountRow:
    """The account. A name that is not there takes as long as a wrong password.

    Raises:
        SignInRefused: in every other case.
    """
    subject = keyed_hash(context, "portal sign-in name", f"{tenant_id}/{folded(name)}")
    attempt = begin_try(context, "sign_in", subject, address)
    with context.database.begin(tenant_id) as db:
        account = db.scalar(
            select(PortalAccountRow).where(PortalAccountRow.sign_in_name == folded(name))
        )
    known = _nobodys_hash() if account is None else account.password_hash
    right = check_password_hash(known, _normal(password)[:MOST_PASSWORD])
    if account is None or not right or not attempt.allowed:
        raise SignInRefused
    note_pass(context, attempt)
    return account


def own_account(db: Session, patient_id: int) -> PortalAccountRow | None:
    return db.scalar(select(PortalAccountRow).where(PortalAccountRow.patient_id == patient_id))


def sign_in_row(account: PortalAccountRow) -> SignInRow:
    """A sign-in of this account, for `app.sign_in.begin_sign_in`; the EHR has no part in it."""
    return SignInRow(
        tenant_id=account.tenant_id,
        patient_id=account.patient_id,
        portal_account_id=account.id,
        token_sealed=b"",
    )


def _end_sign_ins(context: Context, db: Session, account: PortalAccountRow) -> None:
    db.execute(
        update(SignInRow)
        .where(SignInRow.portal_account_id == account.id, SignInRow.ended_at.is_(None))
        .values(ended_at=context.now())
        .execution_options(synchronize_session=False)
    )


def _normal(password: str) -> str:
    """The same characters typed on another keyboard are the same password (NIST SP 800-63B-4)."""
    return unicodedata.normalize("NFKC", password)


@cache
def _nobodys_hash() -> str:
    return generate_password_hash(secrets.token_urlsafe(32))
