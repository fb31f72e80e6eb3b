"""The patient's portal: today's exercises, sending a session, and its result."""

from __future__ import annotations

from uuid import uuid4

from flask import (
    Blueprint,
    abort,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app.error_pages import error_page
from app.jobs.queue import current_jobs
from app.patient.consent_views import is_consent_asked, while_wanted
from app.patient.feedback import feedback_of
from app.patient.forms import SessionForm, started_at, what_is_wrong
from app.patient.pages import read_result, read_today
from app.patient.questionnaire_page import read_due
from app.patient.safety_gate import gate, patient_standing
from app.safety import care_team_phone, session_judgement
from app.sessions import (
    SessionConflict,
    SessionRefused,
    SessionReport,
    accept_manual_log,
    accept_recording,
)
from app.sign_in import SignIn, current_context, requires, signed_in
from rtm.feedback import load_scales
from rtm.session import Pain

portal = Blueprint("portal", __name__, url_prefix="/portal")


@portal.get("")
def welcome() -> str:
    """Where a patient begins: the health systems they may sign in with."""
    from app.launch import health_systems

    return render_template("portal/welcome.html", tenants=health_systems(current_context()))


@portal.get("/today")
@requires("patient")
def today() -> ResponseReturnValue:
    """Who joined by invitation first reads what monitoring means; others are asked to."""
    context, sign_in = current_context(), _sign_in()
    asked = is_consent_asked(sign_in)
    if asked and sign_in.portal_account_id is not None:
        return redirect(url_for("consent_portal.read"), 303)
    return render_template(
        "portal/today.html",
        page=read_today(context, sign_in),
        consent_asked=asked,
        blocked=patient_standing(sign_in).blocked_by is not None,
        questionnaires=read_due(context, sign_in),
    )


@portal.get("/exercises/<exercise_id>")
@requires("patient")
@while_wanted
def exercise(exercise_id: str) -> ResponseReturnValue:
    page = read_today(current_context(), _sign_in())
    line = page.line(exercise_id)
    if line is None:
        abort(404, _("This exercise is not in your program. Please ask your care team."))
    if (first := gate(_sign_in())) is not None:
        return first
    context = current_context()
    form = SessionForm(session_id=str(uuid4()))
    return render_template(
        "portal/exercise.html",
        page=page,
        line=line,
        form=form,
        scales=load_scales(),
        max_upload_bytes=context.settings.max_upload_bytes,
    )


@portal.post("/exercises/<exercise_id>/sessions")
@requires("patient")
def send_session(exercise_id: str) -> ResponseReturnValue:
    """Accepts a recording or a manual log; the same session sent again is one session."""
    sign_in, context = _sign_in(), current_context()
    form = SessionForm()
    if not form.validate_on_submit():
        return _refused(what_is_wrong(form))
    report = SessionReport(
        session_id=form.session_id.data,
        line=exercise_id,
        started_at=started_at(form.started_at.data, context.now()),
        pain=Pain(form.pain_before.data, form.pain_after.data),
        repetitions_reported=form.repetitions.data,
        duration_reported_s=None if form.minutes.data is None else form.minutes.data * 60.0,
        feedback=feedback_of(form.data),
    )
    upload = request.files.get("recording")
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    try:
        if upload is None or not upload.filename:
            row = accept_manual_log(context, sign_in.tenant_id, sign_in.patient_id, report)
            current_jobs().deliver(sign_in.tenant_id, sign_in.patient_id)
        else:
            row = accept_recording(
                context,
                sign_in.tenant_id,
                sign_in.patient_id,
                report,
                upload.filename,
                upload.stream,  # type: ignore[arg-type]  # werkzeug's stream is a BinaryIO
            )
            current_jobs().score(sign_in.tenant_id, row.id)
    except SessionConflict as error:
        return _refused(str(error), 409)
    except SessionRefused as error:
        return _refused(str(error))
    target = url_for("portal.result", session_id=row.id)
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "text/html":
        return redirect(target, 303)
    return jsonify(session_id=row.id, status=row.status, result=target), 202


@portal.get("/sessions/<session_id>")
@requires("patient")
def result(session_id: str) -> str:
    context, sign_in = current_context(), _sign_in()
    page = read_result(context, sign_in, session_id)
    if page is None:
        abort(404, _("There is no such session."))
    with context.database.begin(sign_in.tenant_id) as db:
        phone = care_team_phone(db, sign_in.tenant_id)
    return render_template(
        "portal/result.html",
        page=page,
        scales=load_scales(),
        judgement=session_judgement(page.row),
        phone=phone,
    )


@portal.get("/sessions/<session_id>/status.json")
@requires("patient")
def status(session_id: str) -> Response:
    page = read_result(current_context(), _sign_in(), session_id)
    if page is None:
        abort(404, _("There is no such session."))
    return jsonify(status=page.row.status, problem=page.row.problem)


def _refused(message: str, code: int = 422) -> ResponseReturnValue:
    return error_page(_("This could not be sent"), message, code)


def _sign_in() -> SignIn:
    return signed_in("patient")
