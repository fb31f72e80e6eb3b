"""What a patient reads before being monitored, and says yes or no to."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec
from uuid import uuid4
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField
from wtforms.validators import UUID, AnyOf, InputRequired, Length

from app.declarations import (
    ConsentConflict,
    consent_events,
    declare,
    is_monitoring_stopped,
    stopped_since,
)
from app.languages import language
from app.sign_in import SignIn, current_context, requires, signed_in
from app.store import PatientRow
from rtm.consent import ConsentEvent
from rtm.consent_text import load_consent_texts

consent_portal = Blueprint("consent_portal", __name__, url_prefix="/portal/consent")

P = ParamSpec("P")


class AgreeForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """`event_id` is made with the page, so that sending it twice is one declaration; `version` is
    that of the text which was shown."""

    event_id = HiddenField(validators=[InputRequired(), UUID()])
    version = HiddenField(validators=[InputRequired()])
    name = StringField(
        _l("Type your full name to say yes"),
        validators=[
            InputRequired(_l("Please type your name.")),
            Length(2, 200, _l("Please type your full name.")),
        ],
        render_kw={"autocomplete": "name"},
    )


class SayNoForm(FlaskForm):  # type: ignore[misc]
    event_id = HiddenField(validators=[InputRequired(), UUID()])
    kind = HiddenField(validators=[AnyOf(("declined", "withdrawn"))])


def while_wanted(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Lets a patient's view run only while the patient has not said no to monitoring."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        sign_in = signed_in("patient")
        with current_context().database.begin(sign_in.tenant_id) as db:
            stopped = is_monitoring_stopped(db, patient_of(sign_in))
        if stopped:
            return render_template("portal/stopped.html"), 403
        return view(*args, **kwargs)

    return guarded


def patient_of(sign_in: SignIn) -> int:
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    return sign_in.patient_id


def is_consent_asked(sign_in: SignIn) -> bool:
    """Whether the patient has still to read the text of now: none was answered, or another."""
    with current_context().database.begin(sign_in.tenant_id) as db:
        events = consent_events(db, patient_of(sign_in))
    if not events:
        return True
    newest = events[-1]
    current = load_consent_texts().current
    return newest.kind == "agreed" and newest.text_version != current.id


@consent_portal.get("")
@requires("patient")
def read() -> str:
    return _page(
        AgreeForm(event_id=str(uuid4()), version=load_consent_texts().current.id, formdata=None)
    )


@consent_portal.post("")
@requires("patient")
def agree() -> ResponseReturnValue:
    form, current = AgreeForm(), load_consent_texts().current
    if form.version.data != current.id:
        flash(_("The text has changed. Please read it once more."), "warn")
        return redirect(url_for(".read"), 303)
    if not form.validate_on_submit():
        return _page(form), 422
    _declare(
        ConsentEvent(
            form.event_id.data,
            "agreed",
            current_context().now(),
            language(),
            current.id,
            form.name.data.strip(),
        )
    )
    flash(_("Thank you. You said yes to monitoring."), "success")
    return redirect(url_for("portal.today"), 303)


@consent_portal.get("/withdraw")
@requires("patient")
def confirm_withdrawal() -> str:
    """What it means to stop, before it is done."""
    form = SayNoForm(event_id=str(uuid4()), kind="withdrawn", formdata=None)
    return render_template("portal/withdraw.html", form=form)


@consent_portal.post("/no")
@requires("patient")
def say_no() -> ResponseReturnValue:
    """The patient declines, or withdraws what was agreed."""
    form = SayNoForm()
    if not form.validate_on_submit():
        abort(422, _("This page was not complete. Please go back and try again."))
    now = current_context().now()
    _declare(ConsentEvent(form.event_id.data, form.kind.data, now, language()))
    flash(_("You said no to monitoring. From now on we keep nothing new."), "success")
    return redirect(url_for("settings_portal.settings"), 303)


def _page(form: AgreeForm) -> str:
    sign_in, context = signed_in("patient"), current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        patient = db.get_one(PatientRow, patient_of(sign_in))
        events = consent_events(db, patient.id)
        stopped = stopped_since(db, patient.id)
    newest = events[-1] if events else None
    zone = ZoneInfo(patient.time_zone)
    agreed = newest is not None and newest.kind == "agreed" and not is_consent_asked(sign_in)
    return render_template(
        "portal/consent.html",
        text=load_consent_texts().current,
        form=form,
        no=SayNoForm(event_id=str(uuid4()), kind="declined", formdata=None),
        agreed_on=newest.at.astimezone(zone).date() if newest and agreed else None,
        stopped=stopped is not None,
    )


def _declare(event: ConsentEvent) -> None:
    sign_in = signed_in("patient")
    try:
        declare(current_context(), sign_in.tenant_id, patient_of(sign_in), event)
    except ConsentConflict:
        abort(409, _("This page was used before. Please open it again."))
