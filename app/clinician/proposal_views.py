"""Accepting, editing or declining what the results suggest for the plan."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from app.clinician.chart_request import (
    clinician_sign_in,
    hold_to_the_chart_shown,
    patient_of,
    practitioner_of,
)
from app.clinician.forms import back_with_errors
from app.jobs.queue import current_jobs
from app.prescribing import sign
from app.proposals import OpenProposal, decide, proposed_program, read_proposal
from app.sign_in import SignIn, current_context, requires
from app.store import PatientRow

chart_proposals = Blueprint("chart_proposals", __name__, url_prefix="/chart/proposal")
chart_proposals.before_request(hold_to_the_chart_shown)


class ProposalForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """`digest` says which proposal was on the page; `signing_key` makes a double click one
    signature."""

    digest = HiddenField(validators=[InputRequired()])
    signing_key = HiddenField(validators=[InputRequired(), Length(min=36, max=36)])
    note = StringField("Why not", validators=[Length(max=200)])


@chart_proposals.post("/accept")
@requires("clinician")
def accept() -> Response:
    """Signs the program that the proposal leads to."""
    sign_in, context = clinician_sign_in(), current_context()
    form = ProposalForm()
    if not form.validate_on_submit():
        return back_with_errors(form)
    found, patient = open_proposal(sign_in)
    if found is None or found.digest != form.digest.data:
        return _changed_meanwhile()
    today = found.proposal.as_of
    program = proposed_program(found, patient, today)
    if program is None:
        abort(409, "This proposal leaves the program to you: adjust it and sign.")
    row = sign(
        context,
        sign_in.tenant_id,
        patient_id=patient.id,
        practitioner_id=practitioner_of(sign_in),
        draft=program,
        signing_key=form.signing_key.data,
    )
    decide(context, sign_in.tenant_id, found, "accepted", practitioner_of(sign_in))
    current_jobs().deliver(sign_in.tenant_id, patient.id)
    flash(f"Signed. Version {row.version} is on its way to the chart.", "success")
    return redirect(url_for("clinician.chart"))


@chart_proposals.post("/decline")
@requires("clinician")
def decline() -> Response:
    """The plan stays as it is; this proposal is not made again for this version of it."""
    sign_in = clinician_sign_in()
    form = ProposalForm()
    if not form.validate_on_submit():
        return back_with_errors(form)
    found, _ = open_proposal(sign_in)
    if found is None or found.digest != form.digest.data:
        return _changed_meanwhile()
    note = form.note.data or ""
    decide(current_context(), sign_in.tenant_id, found, "declined", practitioner_of(sign_in), note)
    flash("Declined. The program stays as it is.", "success")
    return redirect(url_for("clinician.chart"))


def open_proposal(sign_in: SignIn) -> tuple[OpenProposal | None, PatientRow]:
    context = current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        patient = db.get_one(PatientRow, patient_of(sign_in))
        return read_proposal(context, db, patient), patient


def _changed_meanwhile() -> Response:
    flash("The results have changed since this page was opened. Please look again.", "warn")
    return redirect(url_for("clinician.chart"))
