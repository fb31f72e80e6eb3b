"""The patient's questionnaires: answer now, or leave and go on later."""

from __future__ import annotations

from typing import NoReturn

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.error_pages import error_page
from app.jobs.queue import current_jobs
from app.languages import language
from app.outcomes import (
    Answers,
    Asked,
    NotAsked,
    OutcomeConflict,
    OutcomeRefused,
    accept_response,
    asked_of,
    keep_draft,
)
from app.patient.questionnaire_page import answers_in, filled, read_due, read_questionnaire
from app.sign_in import SignIn, current_context, requires, signed_in
from app.store import PatientRow

questionnaire_portal = Blueprint(
    "questionnaire_portal", __name__, url_prefix="/portal/questionnaires"
)


@questionnaire_portal.get("/<instrument_id>")
@requires("patient")
def questionnaire(instrument_id: str) -> str:
    try:
        page = read_questionnaire(
            current_context(), signed_in("patient"), instrument_id, language()
        )
    except NotAsked:
        _not_found()
    return render_template("portal/questionnaire.html", page=page, problem=None)


@questionnaire_portal.post("/<instrument_id>")
@requires("patient")
def send(instrument_id: str) -> ResponseReturnValue:
    """Takes the answers, or with `later` keeps them; the same sent again are one response."""
    sign_in, context = signed_in("patient"), current_context()
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    asked = _asked(sign_in, instrument_id)
    try:
        answers = answers_in(request.form, asked.measure)
    except ValueError:
        return error_page(_("This could not be sent"), _("An answer is not a number."), 422)
    of = (context, sign_in.tenant_id, sign_in.patient_id, instrument_id)
    try:
        if "later" in request.form:
            keep_draft(*of, answers)
            flash(_("We kept your answers. You can go on when you like."), "success")
            return redirect(url_for("portal.today"), 303)
        accept_response(*of, answers, language())
    except OutcomeConflict as error:
        return error_page(_("This could not be sent"), str(error), 409)
    except OutcomeRefused as error:
        return _again(sign_in, asked, answers, error)
    current_jobs().deliver(sign_in.tenant_id, sign_in.patient_id)
    flash(_("Thank you. Your care team can see your answers."), "success")
    waiting = read_due(context, sign_in)
    if waiting:
        return redirect(
            url_for("questionnaire_portal.questionnaire", instrument_id=waiting[0].measure.id), 303
        )
    return redirect(url_for("portal.today"), 303)


def _again(
    sign_in: SignIn, asked: Asked, answers: Answers, error: OutcomeRefused
) -> ResponseReturnValue:
    """The page with what was answered and what is wrong."""
    page = filled(asked, answers, language())
    return render_template("portal/questionnaire.html", page=page, problem=str(error)), 422


def _asked(sign_in: SignIn, instrument_id: str) -> Asked:
    context = current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        patient = db.get_one(PatientRow, sign_in.patient_id)
        for asked in asked_of(context, db, patient):
            if asked.measure.id == instrument_id:
                return asked
    _not_found()


def _not_found() -> NoReturn:
    abort(404, _("Your program does not ask for these questions."))
