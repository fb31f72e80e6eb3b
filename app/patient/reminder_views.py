"""The patient's reminders: where they go, which there are, and when."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.hook_client import HookRefused
from app.languages import language
from app.patient.reminder_forms import AddressForm, CodeForm, WishesForm
from app.reminding.channels import gateways, push_policy
from app.reminding.contacts import (
    ContactRefused,
    Refusal,
    active_contacts,
    end,
    send_code,
    subscribe_browser,
    verify,
    waiting_for_code,
)
from app.reminding.gateway import NotSent
from app.reminding.push import public_key, push_keys
from app.reminding.wishes import read_wishes, set_wishes
from app.sign_in import SignIn, current_context, requires, signed_in
from app.store import ContactRow, PatientRow
from rtm.reminders import CHANNELS, Channel

patient_reminders = Blueprint("patient_reminders", __name__, url_prefix="/portal/reminders")


@patient_reminders.get("")
@requires("patient")
def choose() -> ResponseReturnValue:
    return _page()


@patient_reminders.post("")
@requires("patient")
def save() -> ResponseReturnValue:
    sign_in, form = signed_in("patient"), WishesForm()
    if not form.validate_on_submit():
        return _page(wishes_form=form)
    set_wishes(current_context(), sign_in.tenant_id, _patient_id(sign_in), form.wishes)
    return _done(_("Saved."))


@patient_reminders.post("/address")
@requires("patient")
def address() -> ResponseReturnValue:
    """Sends a code to the address; nothing else is sent there before it was typed in."""
    sign_in, form, context = signed_in("patient"), AddressForm(), current_context()
    if not form.validate_on_submit():
        return _page(address_form=form)
    channel = _channel(form.channel.data)
    gateway = gateways(context).get(channel)
    if gateway is None:
        abort(409, _("Your clinic has not set this up."))
    try:
        send_code(
            context,
            sign_in.tenant_id,
            _patient_id(sign_in),
            channel,
            form.address.data,
            gateway,
            language(),
        )
    except ContactRefused as error:
        form.address.errors = [_refusal(error.why)]
        return _page(address_form=form)
    except NotSent:
        form.address.errors = [_("We could not send the numbers. Please try again later.")]
        return _page(address_form=form)
    return _done(_("We sent you 6 numbers. Please type them in below."))


@patient_reminders.post("/code")
@requires("patient")
def code() -> ResponseReturnValue:
    sign_in, form = signed_in("patient"), CodeForm()
    if not form.validate_on_submit():
        return _page(code_form=form)
    try:
        verify(
            current_context(),
            sign_in.tenant_id,
            _patient_id(sign_in),
            _channel(form.channel.data),
            form.code.data,
        )
    except ContactRefused as error:
        form.code.errors = [_refusal(error.why)]
        return _page(code_form=form)
    return _done(_("Reminders are on."))


@patient_reminders.post("/off/<int:contact_id>")
@requires("patient")
def turn_off(contact_id: int) -> ResponseReturnValue:
    sign_in, context = signed_in("patient"), current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        contact = db.get(ContactRow, contact_id)
        if contact is None or contact.patient_id != sign_in.patient_id:
            abort(404, _("There is no such reminder."))
        end(contact, "patient", context.now())
    return _done(_("Reminders are off."))


@patient_reminders.post("/push")
@requires("patient")
def subscribe() -> ResponseReturnValue:
    """Keeps the push subscription of this browser, as its PushSubscription.toJSON gives it."""
    sign_in, context = signed_in("patient"), current_context()
    given = request.get_json(silent=True)
    endpoint = given.get("endpoint") if isinstance(given, dict) else None
    keys = push_keys(given.get("keys")) if isinstance(given, dict) else None
    if not isinstance(endpoint, str) or keys is None:
        return jsonify(error="This is no push subscription."), 422
    if "push" not in gateways(context):
        return jsonify(error="Push is not set up here."), 409
    try:
        push_policy(context).check_url(endpoint)
    except HookRefused as error:
        return jsonify(error=str(error)), 422
    subscribe_browser(context, sign_in.tenant_id, _patient_id(sign_in), endpoint, keys)
    return jsonify(status="on"), 201


def _page(
    wishes_form: WishesForm | None = None,
    address_form: AddressForm | None = None,
    code_form: CodeForm | None = None,
) -> ResponseReturnValue:
    sign_in, context = signed_in("patient"), current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        patient = db.get_one(PatientRow, _patient_id(sign_in))
        contacts = active_contacts(db, patient.id)
        waiting = {c: waiting_for_code(db, patient.id, c) for c in CHANNELS}
        wishes = read_wishes(db, patient)
    usable = gateways(context)
    page = render_template(
        "portal/reminders.html",
        contacts={c: [row for row in contacts if row.channel == c] for c in CHANNELS},
        waiting=waiting,
        usable=usable,
        forms_by_channel={c: _address_form(c, address_form, patient) for c in CHANNELS},
        code_forms={c: _code_form(c, code_form) for c in CHANNELS},
        wishes_form=wishes_form or WishesForm.of(wishes),
        push_key=public_key(context.keys.push_private) if "push" in usable else "",
    )
    refused = any(
        form is not None and form.errors for form in (wishes_form, address_form, code_form)
    )
    return page, 422 if refused else 200


def _address_form(channel: Channel, sent: AddressForm | None, patient: PatientRow) -> Any:
    """With what was typed in, or with the number that the record has."""
    if sent is not None and sent.channel.data == channel:
        return sent
    known = patient.demographics.get("phone") if channel == "sms" else None
    return AddressForm(formdata=None, channel=channel, address=known or "")


def _code_form(channel: Channel, sent: CodeForm | None) -> Any:
    if sent is not None and sent.channel.data == channel:
        return sent
    return CodeForm(formdata=None, channel=channel)


def _refusal(why: Refusal) -> str:
    words: dict[Refusal, str] = {
        "email": _("This is not an e-mail address. Please look at it again."),
        "sms": _("This is not a phone number. Please look at it again."),
        "too_many_codes": _("We sent you numbers many times today. Please try again tomorrow."),
        "wrong_code": _("These are not the numbers that we sent. Please look again."),
        "old_code": _("These numbers are too old. Please ask for new ones."),
    }
    return words[why]


def _done(words: str) -> ResponseReturnValue:
    flash(words, "success")
    return redirect(url_for("patient_reminders.choose"), 303)


def _channel(name: str) -> Channel:
    return next(channel for channel in CHANNELS if channel == name)


def _patient_id(sign_in: SignIn) -> int:
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    return sign_in.patient_id
