"""Taking over an alert, from the chart."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, url_for
from werkzeug.wrappers import Response

from app.alerts import AlertUnknown, acknowledge
from app.clinician.chart_request import (
    clinician_sign_in,
    hold_to_the_chart_shown,
    patient_of,
    practitioner_of,
)
from app.clinician.forms import AlertForm, back_with_errors, text_of
from app.sign_in import current_context, requires
from rtm.alerts import AlertKind

chart_alerts = Blueprint("chart_alerts", __name__, url_prefix="/chart/alerts")
chart_alerts.before_request(hold_to_the_chart_shown)


@chart_alerts.post("/<int:alert_id>/acknowledge")
@requires("clinician")
def acknowledge_alert(alert_id: int) -> Response:
    sign_in = clinician_sign_in()
    form = AlertForm()
    if not form.validate_on_submit():
        return back_with_errors(form)
    try:
        kind = acknowledge(
            current_context(),
            sign_in.tenant_id,
            patient_of(sign_in),
            alert_id,
            practitioner_id=practitioner_of(sign_in),
            note=text_of(form.note),
        )
    except AlertUnknown:
        abort(404, "This patient has no such alert.")
    tell_acknowledged(kind)
    return redirect(url_for("clinician.chart"))


def tell_acknowledged(kind: AlertKind | None) -> None:
    """What came of acknowledging an alert of that kind; None is one acknowledged before."""
    if kind is None:
        flash("This alert was acknowledged before.", "warn")
    elif kind.blocks_sessions:
        flash("Alert acknowledged. The patient is asked the safety questions again.", "success")
    else:
        flash("Alert acknowledged.", "success")
