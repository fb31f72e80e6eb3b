"""The session with the coach on the patient's own device: its page, and what it sends."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import (
    Blueprint,
    Response,
    abort,
    jsonify,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.jobs.queue import current_jobs
from app.languages import language
from app.live_sessions import PieceConflict, PiecesMissing, finish, keep_piece
from app.patient.coach import coach_page
from app.patient.consent_views import while_wanted
from app.patient.feedback import feedback_of
from app.patient.forms import started_at
from app.patient.pages import read_today
from app.patient.safety_gate import gate
from app.sessions import SessionConflict, SessionRefused, SessionReport
from app.sign_in import SignIn, current_context, requires, signed_in
from rtm.feedback import load_scales
from rtm.safety import load_safety
from rtm.session import Pain

live_portal = Blueprint("live_portal", __name__, url_prefix="/portal")


@live_portal.get("/exercises/<exercise_id>/live")
@requires("patient")
@while_wanted
def live(exercise_id: str) -> ResponseReturnValue:
    page = read_today(current_context(), _sign_in())
    line = page.line(exercise_id)
    if line is None:
        abort(404, _("This exercise is not in your program. Please ask your care team."))
    if line.exercise.measurement != "camera":
        abort(
            404,
            _("The camera can't measure this exercise. Please tell us how it went instead."),
        )
    if (first := gate(_sign_in())) is not None:
        return first
    session_id = str(uuid4())
    response = Response(
        render_template(
            "portal/live.html",
            line=line,
            coach=coach_page(line, session_id, _addresses(session_id), language()),
            scales=load_scales(),
            safety=load_safety(),
        )
    )
    response.headers["Permissions-Policy"] = "camera=(self)"
    return response


@live_portal.put("/live/<session_id>/pieces/<int:number>")
@requires("patient")
def piece(session_id: str, number: int) -> ResponseReturnValue:
    sign_in, context = _sign_in(), current_context()
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    content = request.get_data(cache=False)
    try:
        keep_piece(context, sign_in.tenant_id, sign_in.patient_id, session_id, number, content)
    except PieceConflict as error:
        return jsonify(error=str(error)), 409
    except SessionRefused as error:
        return jsonify(error=str(error)), 422
    return jsonify(kept=number)


@live_portal.post("/live/<session_id>/finish")
@requires("patient")
def finished(session_id: str) -> ResponseReturnValue:
    """Accepts the session once every piece has come; 409 names those that have not."""
    sign_in, context = _sign_in(), current_context()
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    try:
        report, pieces = _report(session_id, request.get_json(silent=True))
        row = finish(context, sign_in.tenant_id, sign_in.patient_id, report, pieces)
    except PiecesMissing as error:
        return jsonify(missing=error.numbers), 409
    except SessionConflict as error:
        return jsonify(error=str(error)), 409
    except SessionRefused as error:
        return jsonify(error=str(error)), 422
    current_jobs().score(sign_in.tenant_id, row.id)
    result = url_for("portal.result", session_id=row.id)
    return jsonify(session_id=row.id, status=row.status, result=result), 202


def _report(session_id: str, document: Any) -> tuple[SessionReport, int]:
    """Raises SessionRefused for what the page never sends."""
    try:
        return SessionReport(
            session_id=session_id,
            line=str(document["exercise_id"]),
            started_at=started_at(str(document["started_at"]), current_context().now()),
            pain=Pain(int(document["pain_before"]), int(document["pain_after"])),
            repetitions_reported=int(document["counted"]),
            feedback=feedback_of(document),
        ), int(document["pieces"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise SessionRefused(
            _("The session's report is not complete: %(reason)s.", reason=error)
        ) from None


def _addresses(session_id: str) -> dict[str, str]:
    return {
        "pieces": url_for("live_portal.piece", session_id=session_id, number=0).removesuffix("0"),
        "finish": url_for("live_portal.finished", session_id=session_id),
    }


def _sign_in() -> SignIn:
    return signed_in("patient")
