"""The panel: every alert that waits for a clinician, over all of their patients."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.alerts import acknowledge
from app.clinician.alert_views import tell_acknowledged
from app.clinician.chart_request import clinician_sign_in, practitioner_of
from app.clinician.forms import AlertForm, HandOnForm, SnoozeForm, back_with_errors, text_of
from app.sign_in import begin_sign_in, current_context, end_earlier_sign_in, requires
from app.store import SignInRow
from app.triage import (
    SHOWN,
    SORTS,
    BadPanelFilter,
    CannotWait,
    NobodyToTake,
    NotOnPanel,
    PanelFilter,
    colleagues,
    hand_on,
    patient_on_panel,
    read_panel,
    snooze,
    tomorrow,
)
from rtm.alerts import load_alert_kinds

panel = Blueprint("panel", __name__, url_prefix="/panel")


@panel.get("", endpoint="panel")
@requires("clinician")
def show() -> str:
    """The alerts that wait, or those put off, a page at a time."""
    sign_in, context = clinician_sign_in(), current_context()
    me, wanted = practitioner_of(sign_in), _wanted()
    with context.database.begin(sign_in.tenant_id) as db:
        found = read_panel(db, me, wanted, context.now())
        next_day, others = tomorrow(context, db), colleagues(db, me)
    handing = HandOnForm()
    handing.to.choices = others
    return render_template(
        "clinician/panel.html",
        panel=found,
        wanted=wanted,
        kinds=load_alert_kinds(),
        sorts=SORTS,
        shown=SHOWN,
        sign_in=sign_in,
        acknowledge_form=AlertForm(),
        snooze_form=SnoozeForm(until=next_day),
        hand_on_form=handing,
        can_open=sign_in.need_patient_banner,
    )


@panel.post("/<int:alert_id>/acknowledge")
@requires("clinician")
def acknowledge_alert(alert_id: int) -> Response:
    sign_in, context = clinician_sign_in(), current_context()
    form = AlertForm()
    if not form.validate_on_submit():
        return back_with_errors(form, "panel.panel")
    try:
        with context.database.begin(sign_in.tenant_id) as db:
            patient_id = patient_on_panel(db, practitioner_of(sign_in), alert_id).id
    except NotOnPanel as error:
        return _back(error)
    kind = acknowledge(
        context,
        sign_in.tenant_id,
        patient_id,
        alert_id,
        practitioner_id=practitioner_of(sign_in),
        note=text_of(form.note),
    )
    tell_acknowledged(kind)
    return redirect(url_for("panel.panel"))


@panel.post("/<int:alert_id>/snooze")
@requires("clinician")
def snooze_alert(alert_id: int) -> Response:
    sign_in = clinician_sign_in()
    form = SnoozeForm()
    if not form.validate_on_submit():
        return back_with_errors(form, "panel.panel")
    try:
        snooze(
            current_context(),
            sign_in.tenant_id,
            practitioner_of(sign_in),
            alert_id,
            until=form.until.data,
            note=text_of(form.note),
        )
    except (NotOnPanel, CannotWait) as error:
        return _back(error)
    flash(f"Put off until {form.until.data}.", "success")
    return redirect(url_for("panel.panel"))


@panel.post("/<int:alert_id>/hand-on")
@requires("clinician")
def hand_on_alert(alert_id: int) -> Response:
    sign_in, context = clinician_sign_in(), current_context()
    me = practitioner_of(sign_in)
    form = HandOnForm()
    with context.database.begin(sign_in.tenant_id) as db:
        form.to.choices = colleagues(db, me)
    if not form.validate_on_submit():
        return back_with_errors(form, "panel.panel")
    try:
        hand_on(
            context,
            sign_in.tenant_id,
            me,
            alert_id,
            to_practitioner_id=form.to.data,
            note=text_of(form.note),
        )
    except (NotOnPanel, NobodyToTake) as error:
        return _back(error)
    flash(f"Handed on to {dict(form.to.choices)[form.to.data]}.", "success")
    return redirect(url_for("panel.panel"))


@panel.post("/<int:alert_id>/open")
@requires("clinician")
def open_chart(alert_id: int) -> Response:
    """The chart of the patient whom an alert is about.

    Only where we show the patient's name ourselves: under another patient's banner of the EHR it
    would be the wrong chart.
    """
    sign_in, context = clinician_sign_in(), current_context()
    if not sign_in.need_patient_banner:
        abort(409, "Your EHR shows another patient here. Open this patient's chart in the EHR.")
    response = redirect(url_for("clinician.chart"))
    try:
        with context.database.begin(sign_in.tenant_id) as db:
            patient = patient_on_panel(db, practitioner_of(sign_in), alert_id)
            earlier = db.get_one(SignInRow, sign_in.id)
            row = SignInRow(
                tenant_id=sign_in.tenant_id,
                practitioner_id=sign_in.practitioner_id,
                patient_id=patient.id,
                token_sealed=earlier.token_sealed,
                encounter=None,
                need_patient_banner=True,
                not_granted=earlier.not_granted,
                ehr_style=earlier.ehr_style,
            )
            begin_sign_in(response, context, row, "clinician")  # type: ignore[arg-type]  # werkzeug's is flask's here
            db.add(row)
    except NotOnPanel as error:
        return _back(error)
    end_earlier_sign_in(context, "clinician")
    return response


def _wanted() -> PanelFilter:
    asked: dict[str, Any] = {
        "shown": request.args.get("shown", "now"),
        "kind": request.args.get("kind") or None,
        "sort": request.args.get("sort", "gravest"),
        "page": request.args.get("page", 1, type=int),
    }
    try:
        return PanelFilter(**asked)
    except BadPanelFilter as error:
        abort(400, f"The panel can't be shown so: {error}.")


def _back(error: Exception) -> Response:
    flash(str(error), "warn")
    return redirect(url_for("panel.panel"))
