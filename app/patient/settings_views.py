"""The patient's settings: who they are here, monitoring, a copy of their data, and deletion."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from uuid import uuid4
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import HiddenField, TextAreaField
from wtforms.validators import UUID, InputRequired, Length

from app.api.answers import FHIR_JSON
from app.api.patient_record import patient_record
from app.data_requests import (
    MOST_NOTE,
    DataRequestRefused,
    Deletion,
    ask_deletion,
    newest_deletion,
    note_export,
    withdraw_deletion,
)
from app.declarations import consent_events, stopped_since
from app.patient.consent_views import patient_of
from app.portal_accounts import own_account
from app.sign_in import current_context, requires, signed_in
from app.store import PatientRow, Tenant

settings_portal = Blueprint("settings_portal", __name__, url_prefix="/portal/settings")


class DeletionForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """`request_id` is made with the page, so that sending it twice is one request."""

    request_id = HiddenField(validators=[InputRequired(), UUID()])
    reason = TextAreaField(
        _l("Why? You need not say."),
        validators=[Length(max=MOST_NOTE, message=_l("Please use fewer words."))],
    )


@dataclass(frozen=True)
class SettingsPage:
    """Days are the patient's own. `agreed_on` and `stopped_on` are of the newest declaration."""

    name: str
    health_system: str
    sign_in_name: str | None
    agreed_on: date | None
    stopped_on: date | None
    deletion: Deletion | None
    zone: ZoneInfo

    def day(self, deletion: Deletion) -> date:
        return deletion.asked_at.astimezone(self.zone).date()


@settings_portal.get("")
@requires("patient")
def settings() -> str:
    return render_template("portal/settings.html", page=_read())


@settings_portal.post("/export")
@requires("patient")
def export() -> Response:
    """Everything that we hold of the patient, as a FHIR Bundle to keep."""
    sign_in, context = signed_in("patient"), current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        patient = db.get_one(PatientRow, patient_of(sign_in))
        tenant = db.get_one(Tenant, sign_in.tenant_id)
        bundle = patient_record(context, db, tenant, patient.fhir_id)
        note_export(context, db, patient.id)
    response = Response(json.dumps(bundle, indent=1), mimetype=FHIR_JSON)
    day = context.now().astimezone(ZoneInfo(patient.time_zone)).date()
    response.headers["Content-Disposition"] = f'attachment; filename="homestretch-{day}.json"'
    return response


@settings_portal.route("/deletion", methods=["GET", "POST"])
@requires("patient")
def deletion() -> ResponseReturnValue:
    """What deletion means, and the request for it."""
    sign_in, form = signed_in("patient"), DeletionForm()
    if form.validate_on_submit():
        try:
            ask_deletion(
                current_context(),
                sign_in.tenant_id,
                patient_of(sign_in),
                form.request_id.data,
                (form.reason.data or "").strip(),
            )
        except DataRequestRefused:
            abort(409, _("You asked for this already. It is with your care team."))
        flash(_("Your request is with your care team. They will answer you here."), "success")
        return redirect(url_for(".settings"), 303)
    if not form.is_submitted():
        form = DeletionForm(request_id=str(uuid4()), formdata=None)
    return render_template(
        "portal/deletion.html", form=form, page=_read()
    ), 422 if form.errors else 200


@settings_portal.post("/deletion/withdraw")
@requires("patient")
def take_back_deletion() -> ResponseReturnValue:
    sign_in = signed_in("patient")
    try:
        withdraw_deletion(current_context(), sign_in.tenant_id, patient_of(sign_in))
    except DataRequestRefused:
        flash(_("There is no open request."), "warn")
    else:
        flash(_("You took your request back. Nothing is deleted."), "success")
    return redirect(url_for(".settings"), 303)


def _read() -> SettingsPage:
    sign_in = signed_in("patient")
    with current_context().database.begin(sign_in.tenant_id) as db:
        patient = db.get_one(PatientRow, patient_of(sign_in))
        tenant = db.get_one(Tenant, sign_in.tenant_id)
        account = own_account(db, patient.id)
        stopped = stopped_since(db, patient.id)
        agreed = [event for event in consent_events(db, patient.id) if event.kind == "agreed"]
        asked = newest_deletion(db, patient.id)
    zone = ZoneInfo(patient.time_zone)
    return SettingsPage(
        name=patient.name,
        health_system=tenant.name,
        sign_in_name=None if account is None else account.sign_in_name,
        agreed_on=agreed[-1].at.astimezone(zone).date() if agreed and stopped is None else None,
        stopped_on=None if stopped is None else stopped.astimezone(zone).date(),
        deletion=asked,
        zone=zone,
    )
