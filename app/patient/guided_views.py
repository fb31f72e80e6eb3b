"""An exercise by the timer, without a camera: its page, and the report that it sends."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import Blueprint, abort, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.jobs.queue import current_jobs
from app.patient.feedback import feedback_of
from app.patient.forms import MOST_MINUTES, MOST_REPETITIONS, started_at
from app.patient.guided import guided_page, is_timed
from app.patient.pages import read_today
from app.patient.safety_gate import gate
from app.sessions import SessionConflict, SessionRefused, SessionReport, accept_manual_log
from app.sign_in import current_context, requires, signed_in
from rtm.feedback import load_scales
from rtm.safety import load_safety
from rtm.session import Pain

guided_portal = Blueprint("guided_portal", __name__, url_prefix="/portal")


@guided_portal.get("/exercises/<exercise_id>/guided")
@requires("patient")
def guided(exercise_id: str) -> ResponseReturnValue:
    sign_in = signed_in("patient")
    line = read_today(current_context(), sign_in).line(exercise_id)
    if line is None:
        abort(404, _("This exercise is not in your program. Please ask your care team."))
    if (first := gate(sign_in)) is not None:
        return first
    session_id = str(uuid4())
    address = url_for("guided_portal.finished", session_id=session_id)
    return render_template(
        "portal/guided.html",
        line=line,
        guided=guided_page(line, session_id, address),
        timed=is_timed(line),
        scales=load_scales(),
        safety=load_safety(),
        most_repetitions=MOST_REPETITIONS,
        most_minutes=MOST_MINUTES,
    )


@guided_portal.post("/guided/<session_id>/finish")
@requires("patient")
def finished(session_id: str) -> ResponseReturnValue:
    """Accepts the session as the patient tells it; the same again is one session."""
    sign_in, context = signed_in("patient"), current_context()
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    try:
        report = _report(session_id, request.get_json(silent=True))
        row = accept_manual_log(context, sign_in.tenant_id, sign_in.patient_id, report)
    except SessionConflict as error:
        return jsonify(error=str(error)), 409
    except SessionRefused as error:
        return jsonify(error=str(error)), 422
    current_jobs().deliver(sign_in.tenant_id, sign_in.patient_id)
    result = url_for("portal.result", session_id=row.id)
    return jsonify(session_id=row.id, status=row.status, result=result), 202


def _report(session_id: str, document: Any) -> SessionReport:
    """Raises SessionRefused for what the page never sends."""
    try:
        return SessionReport(
            session_id=session_id,
            line=str(document["exercise_id"]),
            started_at=started_at(str(document["started_at"]), current_context().now()),
            pain=Pain(int(document["pain_before"]), int(document["pain_after"])),
            repetitions_reported=_within(document["repetitions"], 0, MOST_REPETITIONS),
            duration_reported_s=60.0 * _within(document["minutes"], 1, MOST_MINUTES),
            feedback=feedback_of(document),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise SessionRefused(
            _("The session's report is not complete: %(reason)s.", reason=error)
        ) from None


def _within(value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{value!r} does not lie between {least} and {most}")
    return value
