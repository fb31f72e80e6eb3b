"""The care team's side of the messages: on the patient's chart, where the timer runs.

A message is no interactive communication, so none is logged; the time that it takes is chart time.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from app.clinician.chart import Chart, read_chart
from app.clinician.chart_request import (
    clinician_sign_in,
    hold_to_the_chart_shown,
    patient_of,
    practitioner_of,
)
from app.jobs.queue import current_jobs
from app.languages import LANGUAGES
from app.message_fields import check_with, made_with_the_page
from app.messages import (
    MessageConflict,
    NoSuchThread,
    Person,
    open_thread,
    read_threads,
    send_message,
    unread_count,
)
from app.sign_in import SignIn, current_context, requires
from rtm.message_templates import load_templates
from rtm.messages import (
    MOST_CHARACTERS,
    MOST_SUBJECT_CHARACTERS,
    checked_subject,
    checked_text,
)

chart_messages = Blueprint("chart_messages", __name__, url_prefix="/chart/messages")
chart_messages.before_request(hold_to_the_chart_shown)

_NOT_TEXT = "It has a control character. Please type it again."


class ReplyForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """`message_id` is made with the page, so that sending it twice is one message."""

    message_id = HiddenField(validators=[made_with_the_page])
    text = TextAreaField(
        "Message",
        validators=[
            check_with(
                checked_text,
                {
                    "empty": "Write the message first.",
                    "too_long": f"A message has at most {MOST_CHARACTERS} characters.",
                    "not_text": _NOT_TEXT,
                },
            )
        ],
        render_kw={"rows": 8},
    )
    template = SelectField(
        "Begin with a text that you use often",
        choices=[SelectChoice("", "Choose…")]
        + [SelectChoice(template.id, template.title) for template in load_templates()],
        validators=[Optional()],
    )


class MessageForm(ReplyForm):
    """A message that begins a thread."""

    subject = StringField(
        "Subject",
        validators=[
            check_with(
                checked_subject,
                {
                    "empty": "Say what it is about.",
                    "too_long": f"A subject has at most {MOST_SUBJECT_CHARACTERS} characters.",
                    "not_text": _NOT_TEXT,
                },
            )
        ],
    )


@chart_messages.app_context_processor
def _on_the_chart() -> dict[str, Any]:
    """For the chart's own page."""
    return {"unread_from_patient": _unread_from_patient}


@chart_messages.get("")
@requires("clinician")
def inbox() -> str:
    sign_in = clinician_sign_in()
    chart = read_chart(current_context(), sign_in)
    with current_context().database.begin(sign_in.tenant_id) as db:
        found = read_threads(db, patient_of(sign_in))
    return render_template("clinician/messages.html", chart=chart, threads=found)


@chart_messages.route("/new", methods=["GET", "POST"])
@requires("clinician")
def write() -> ResponseReturnValue:
    sign_in = clinician_sign_in()
    chart = read_chart(current_context(), sign_in)
    form = _form(MessageForm, chart)
    if _is_to_be_sent() and form.validate_on_submit():
        return _send(sign_in, form, subject=form.subject.data)
    page = render_template("clinician/new_message.html", chart=chart, form=form)
    return page, 422 if form.errors else 200


@chart_messages.route("/<thread_id>", methods=["GET", "POST"])
@requires("clinician")
def thread(thread_id: str) -> ResponseReturnValue:
    """One thread, read by opening it, and the answer to it."""
    sign_in, context = clinician_sign_in(), current_context()
    chart = read_chart(context, sign_in)
    form = _form(ReplyForm, chart)
    if _is_to_be_sent() and form.validate_on_submit():
        return _send(sign_in, form, thread_id=thread_id)
    try:
        opened = open_thread(context, sign_in.tenant_id, _person(sign_in), thread_id)
    except NoSuchThread:
        abort(404, "This patient has no such message.")
    page = render_template("clinician/thread.html", chart=chart, thread=opened, form=form)
    return page, 422 if form.errors else 200


def _form(kind: type[ReplyForm], chart: Chart) -> Any:
    """The form, with the chosen template after what was written so far."""
    form = kind()
    if not form.is_submitted():
        form.message_id.data = str(uuid4())
    chosen = next((t for t in load_templates() if t.id == form.template.data), None)
    if not _is_to_be_sent() and chosen is not None:
        language = next((one for one in LANGUAGES if one == chart.banner.language), LANGUAGES[0])
        form.text.data = "\n\n".join(
            part for part in (form.text.data, chosen.text[language]) if part
        )
        if isinstance(form, MessageForm) and not form.subject.data:
            form.subject.data = chosen.subject[language]
        form.template.data = ""
    return form


def _is_to_be_sent() -> bool:
    return request.method == "POST" and "insert" not in request.form


def _send(sign_in: SignIn, form: Any, **where: str) -> ResponseReturnValue:
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
        abort(404, "This patient has no such message.")
    except MessageConflict:
        abort(409, "This page was used for another message. Open the messages again.")
    current_jobs().deliver(sign_in.tenant_id, row.patient_id)
    current_jobs().remind(sign_in.tenant_id)
    flash("The message was sent.", "success")
    return redirect(url_for("chart_messages.thread", thread_id=row.thread_id), 303)


def _unread_from_patient(patient_id: int) -> int:
    sign_in = clinician_sign_in()
    with current_context().database.begin(sign_in.tenant_id) as db:
        return unread_count(db, patient_id, "care_team")


def _person(sign_in: SignIn) -> Person:
    return Person(patient_of(sign_in), practitioner_of(sign_in))
