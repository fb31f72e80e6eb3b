"""What stands before a session: the safety questions, or a page that says whom to call."""

from __future__ import annotations

import re

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from app.safety import Standing, standing
from app.sign_in import SignIn, current_context

# Where the questions may lead on to.
_PLACE = re.compile(r"/portal/exercises/[a-z][a-z0-9_]*(\.left|\.right)?(/live|/guided)?")


def patient_standing(sign_in: SignIn) -> Standing:
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    context = current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        return standing(db, sign_in.patient_id, context.now())


def gate(sign_in: SignIn) -> Response | None:
    """Where this page's patient must go first; None where the session may begin."""
    stands = patient_standing(sign_in)
    if stands.blocked_by is not None:
        return redirect(url_for("safety_portal.stop"), 303)
    if stands.due:
        return redirect(url_for("safety_portal.questions", then=request.path), 303)
    return None


def place_after(then: str | None) -> str:
    """The exercise that the patient wanted, else today's page; never another site."""
    if then and _PLACE.fullmatch(then):
        return then
    return url_for("portal.today")
