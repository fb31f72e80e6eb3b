"""The patient's messages with the care team."""

from __future__ import annotations

from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.jobs.queue import current_jobs
from app.messages import (
    MessageConflict,
    NoSuchThread,
    Person,
    open_thread,
    read_threads,
    send_message,
    unread_count,
)
from app.patient.message_forms import MessageForm, ReplyForm
from app.sign_in import SignIn, current_context, requires, signed_in
from app.store import PatientRow

patient_messages = Blueprint("patient_messages", __name__, url_prefix="/portal/messages")


@patient_messages.app_context_processor
def _navigation() -> dict[str, Any]:
    """For the links on every page of the portal."""
    return {"unread_messages": _unread_messages}


@patient_messages.get("")
@requires("patient")
def inbox() -> str:
    sign_in = _sign_in()
    with current_context().database.begin(sign_in.tenant_id) as db:
        found = read_threads(db, _person(sign_in).patient_id)
    return render_template("portal/messages.html", threads=found, zone=_zone(sign_in))


@patient_messages.route("/new", methods=["GET", "POST"])
@requires("patient")
def write() -> ResponseReturnValue:
    """A message under a new subject."""
    form = MessageForm()
    if not form.is_submitted():
        form.message_id.data = str(uuid4())
    if form.validate_on_submit():
        return _send(form, subject=form.subject.data)
    return render_template("portal/new_message.html", form=form), 422 if form.errors else 200


@patient_messages.route("/<thread_id>", methods=["GET", "POST"])
@requires("patient")
def thread(thread_id: str) -> ResponseReturnValue:
    """One thread, read by opening it, and the answer to it."""
    sign_in = _sign_in()
    form = ReplyForm()
    if form.validate_on_submit():
        return _send(form, thread_id=thread_id)
    try:
        opened = open_thread(current_context(), sign_in.tenant_id, _person(sign_in), thread_id)
    except NoSuchThread:
        abort(404, _("There is no such message."))
    if not form.is_submitted():
        form.message_id.data = str(uuid4())
    page = render_template("portal/thread.html", thread=opened, form=form, zone=_zone(sign_in))
    return page, 422 if form.errors else 200


def _send(form: Any, **where: str) -> ResponseReturnValue:
    sign_in = _sign_in()
    try:
        row = send_message(
            current_context(),
            sign_in.tenant_id,
            _person(sign_in),
            message_id=form.message_id.data,
            text=form.text.data,
            **where,
        )
    except NoSuchThread:
        abort(404, _("There is no such message."))
    except MessageConflict:
        abort(409, _("This page was used for another message. Open your messages again."))
    current_jobs().deliver(sign_in.tenant_id, row.patient_id)
    flash(_("Your message was sent."), "success")
    return redirect(url_for("patient_messages.thread", thread_id=row.thread_id), 303)


def _unread_messages() -> int:
    sign_in: SignIn | None = g.sign_ins.get("patient")
    if sign_in is None:
        return 0
    with current_context().database.begin(sign_in.tenant_id) as db:
        return unread_count(db, _person(sign_in).patient_id, "patient")


def _zone(sign_in: SignIn) -> ZoneInfo:
    with current_context().database.begin(sign_in.tenant_id) as db:
        return ZoneInfo(db.get_one(PatientRow, _person(sign_in).patient_id).time_zone)


def _person(sign_in: SignIn) -> Person:
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    return Person(sign_in.patient_id)


def _sign_in() -> SignIn:
    return signed_in("patient")
