"""The patient's progress, and what comes with it."""

from __future__ import annotations

from flask import Blueprint, Response, abort, render_template, request
from flask_babel import gettext as _

from app.languages import language
from app.patient.progress_page import NoSuchMonth, read_progress
from app.printed_program import pdf_answer, printed_program
from app.sign_in import current_context, requires, signed_in

progress_portal = Blueprint("progress_portal", __name__, url_prefix="/portal")


@progress_portal.get("/progress")
@requires("patient")
def progress() -> str:
    try:
        page = read_progress(
            current_context(), signed_in("patient"), language(), request.args.get("month")
        )
    except NoSuchMonth:
        abort(404, _("There is no such month in your program."))
    return render_template("portal/progress.html", page=page)


@progress_portal.get("/program.pdf")
@requires("patient")
def program() -> Response:
    sign_in = signed_in("patient")
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    pdf = printed_program(current_context(), sign_in.tenant_id, sign_in.patient_id, language())
    if pdf is None:
        abort(404, _("Your care team has not given you a program yet."))
    return pdf_answer(pdf)
