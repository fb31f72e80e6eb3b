"""Whose chart a request is about, and that it is the chart which was on the screen."""

from __future__ import annotations

from datetime import datetime

from flask import abort, g, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.sign_in import SignIn, signed_in
from app.store import SignInRow


def clinician_sign_in() -> SignIn:
    return signed_in("clinician")


def patient_of(sign_in: SignIn) -> int:
    if sign_in.patient_id is None:
        abort(400, "Open a patient's chart in the EHR first, then launch Homestretch.")
    return sign_in.patient_id


def practitioner_of(sign_in: SignIn) -> int:
    assert sign_in.practitioner_id is not None, "a clinician's sign-in always names one"
    return sign_in.practitioner_id


def hold_to_the_chart_shown() -> None:
    """Before each request: a form is of the patient it was shown for.

    One browser has one sign-in: whoever opens a second patient's chart in another tab makes the
    first tab's forms reach the second patient. They are refused, and nothing is recorded.
    """
    sign_in: SignIn | None = g.sign_ins.get("clinician")
    if request.method != "POST" or request.is_json or sign_in is None:
        return
    shown = request.form.get("patient", type=int)
    if shown is None:
        abort(400, "The form does not say whose chart it is from.")
    if shown != sign_in.patient_id:
        abort(
            409,
            "Another patient's chart was opened in this browser since. Nothing was saved. "
            "Open this patient's chart in the EHR again.",
        )


def has_chart_open(db: Session, sign_in: SignIn, patient_id: int, now: datetime) -> bool:
    """Whether this clinician launched that patient's chart no longer ago than a sign-in lasts.

    The newest launch is this browser's sign-in and ended the one before it; the timer of an older
    tab still tells its own patient's time.
    """
    if patient_id == sign_in.patient_id:
        return True
    open_launch = select(SignInRow.id).where(
        SignInRow.role == "clinician",
        SignInRow.practitioner_id == sign_in.practitioner_id,
        SignInRow.patient_id == patient_id,
        SignInRow.expires_at > now,
    )
    return db.scalar(open_launch.limit(1)) is not None
