"""The patient's way into the portal, as the care team gives it: invitations, and what was asked."""

from __future__ import annotations

import segno
from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale, format_date
from flask_wtf import FlaskForm
from markupsafe import Markup
from werkzeug.wrappers import Response
from wtforms import SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from app.clinician.chart import banner
from app.clinician.chart_request import (
    clinician_sign_in,
    hold_to_the_chart_shown,
    patient_of,
    practitioner_of,
)
from app.clinician.forms import back_with_errors
from app.data_requests import MOST_NOTE, DataRequestRefused, answer_deletion
from app.invitations import make_invitation, revoke_invitations
from app.languages import LANGUAGES, language_of
from app.sign_in import current_context, requires
from app.store import PatientRow, Tenant

chart_portal = Blueprint("chart_portal", __name__, url_prefix="/chart/portal")
chart_portal.before_request(hold_to_the_chart_shown)

_LANGUAGE_NAMES = {"en": "English", "es": "Spanish"}


class InvitationForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """`language` is that of the page for the patient."""

    language = SelectField(
        "Language of the page", choices=[SelectChoice(x, _LANGUAGE_NAMES[x]) for x in LANGUAGES]
    )


class AnswerForm(FlaskForm):  # type: ignore[misc]
    """What was done about a request for deletion, in words for the patient."""

    answer = TextAreaField(
        "Answer to the patient",
        validators=[InputRequired("Say what was done."), Length(max=MOST_NOTE)],
    )


def invitation_form(patient: PatientRow) -> InvitationForm:
    """The form with the patient's own language, where that is one of ours."""
    return InvitationForm(language=language_of(patient))


@chart_portal.post("/invitation")
@requires("clinician")
def invite() -> ResponseReturnValue:
    """A new code, shown this once, with a page to print; sent again, it is another code."""
    sign_in, context, form = clinician_sign_in(), current_context(), InvitationForm()
    if not form.validate_on_submit():
        return back_with_errors(form)
    row, code = make_invitation(
        context, sign_in.tenant_id, patient_of(sign_in), practitioner_of(sign_in)
    )
    with context.database.begin(sign_in.tenant_id) as db:
        patient = db.get_one(PatientRow, row.patient_id)
        tenant = db.get_one(Tenant, sign_in.tenant_id)
    address = context.settings.base_url + url_for("join_portal.enter_code")
    with force_locale(form.language.data):
        card = render_template(
            "clinician/invitation_card.html",
            code=code,
            address=address,
            qr=Markup(segno.make(address, micro=False).svg_inline(scale=4)),
            language=form.language.data,
            name=patient.demographics.get("given", ""),
            health_system=tenant.name,
            last_day=format_date(tenant.local(row.expires_at).date(), "long"),
        )
    return render_template(
        "clinician/invitation.html",
        card=Markup(card),  # our own template, escaped there
        patient=patient,
        banner=banner(patient),
    )


@chart_portal.post("/invitation/revoke")
@requires("clinician")
def revoke() -> Response:
    sign_in = clinician_sign_in()
    if revoke_invitations(current_context(), sign_in.tenant_id, patient_of(sign_in)):
        flash("The invitation can't be used any more.", "success")
    else:
        flash("There is no open invitation.", "warn")
    return redirect(url_for("clinician.chart"))


@chart_portal.post("/answer")
@requires("clinician")
def answer() -> Response:
    """Answers the patient's open request for deletion."""
    sign_in, form = clinician_sign_in(), AnswerForm()
    if not form.validate_on_submit():
        return back_with_errors(form)
    try:
        answer_deletion(
            current_context(),
            sign_in.tenant_id,
            patient_of(sign_in),
            practitioner_of(sign_in),
            form.answer.data.strip(),
        )
    except DataRequestRefused as error:
        flash(str(error), "warn")
    else:
        flash("The patient can read your answer in the portal.", "success")
    return redirect(url_for("clinician.chart"))
