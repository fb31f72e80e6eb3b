"""Time and talks on the chart: the timer, logging by hand, signing, correcting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app import rtm_book
from app.clinician.chart import banner
from app.clinician.chart_request import (
    clinician_sign_in,
    has_chart_open,
    hold_to_the_chart_shown,
    patient_of,
    practitioner_of,
)
from app.clinician.forms import (
    ConfirmForm,
    CorrectTalkForm,
    CorrectTimeForm,
    InteractionForm,
    TimeForm,
    activity_key,
    activity_text,
    back_with_errors,
)
from app.clinician.time_page import length_text, talk_row, time_page, time_row
from app.sign_in import SignIn, current_context, requires
from app.store import PatientRow, PractitionerRow, Tenant
from app.time_book import (
    STATEMENT,
    ChangeRefused,
    LeftCharge,
    StretchChoice,
    TalkChange,
    TimeBook,
    TimeChange,
    confirm_time,
    correct_talk,
    correct_time,
    left_charges,
    read_time_book,
)
from rtm.ledger import FactHistory, Interaction
from rtm.time_lines import TimeLine

chart_time = Blueprint("chart_time", __name__, url_prefix="/chart")
chart_time.before_request(hold_to_the_chart_shown)


@chart_time.post("/time/heartbeat")
@requires("clinician")
def heartbeat() -> Response:
    """An interval in which a chart was open and in use, from that page's timer."""
    sign_in, context = clinician_sign_in(), current_context()
    document = request.get_json()
    try:
        interval = rtm_book.read_interval(document, context.now())
    except rtm_book.IntervalRefused as error:
        abort(422, str(error))
    patient_id = document.get("patient")
    if not isinstance(patient_id, int):
        abort(422, "The interval needs the patient whose chart was open.")
    with context.database.begin(sign_in.tenant_id) as db:
        if not has_chart_open(db, sign_in, patient_id, context.now()):
            abort(409, "This chart is not open any more. Open it in the EHR again.")
        logged = rtm_book.record_timer_interval(
            db,
            patient_id,
            db.get_one(PractitionerRow, practitioner_of(sign_in)),
            interval,
            now=context.now(),
        )
    return jsonify(logged=logged)


@chart_time.post("/time")
@requires("clinician")
def log_time() -> Response:
    sign_in, context = clinician_sign_in(), current_context()
    form = TimeForm()
    if not form.validate_on_submit():
        return back_with_errors(form)
    with context.database.begin(sign_in.tenant_id) as db:
        if form.date.data > _practice_day(db, context.now()):
            flash("Date: time can't be logged before it was spent.", "error")
            return redirect(url_for("clinician.chart"))
        rtm_book.record_manual_time(
            db,
            patient_of(sign_in),
            db.get_one(PractitionerRow, practitioner_of(sign_in)),
            day=form.date.data,
            minutes=form.minutes.data,
            activity=activity_text(form.activity.data, form.reason.data),
            now=context.now(),
        )
    flash(f"{form.minutes.data} minutes logged and signed.", "success")
    return redirect(url_for("clinician.chart"))


@chart_time.post("/interactions")
@requires("clinician")
def log_interaction() -> Response:
    sign_in, context = clinician_sign_in(), current_context()
    form = InteractionForm()
    if not form.validate_on_submit():
        return back_with_errors(form)
    with context.database.begin(sign_in.tenant_id) as db:
        patient = db.get_one(PatientRow, patient_of(sign_in))
        if form.at.data > context.now().astimezone(ZoneInfo(patient.time_zone)).replace(
            tzinfo=None
        ):
            flash("When: a talk can't be logged before it was held.", "error")
            return redirect(url_for("clinician.chart"))
        rtm_book.record_interaction(
            db,
            patient,
            db.get_one(PractitionerRow, practitioner_of(sign_in)),
            local_at=form.at.data,
            kind=form.kind.data,
            minutes=form.minutes.data or 0,
            now=context.now(),
        )
    flash("Interaction logged.", "success")
    return redirect(url_for("clinician.chart"))


@chart_time.post("/time/finish")
@requires("clinician")
def finish() -> Response:
    """Work on this chart ends: on to signing it. The page's timer has sent what it had."""
    return redirect(url_for("chart_time.time"), 303)


@chart_time.get("/time")
@requires("clinician")
def time() -> str:
    """What waits for the signature of who is signed in, and all time and talks."""
    sign_in = clinician_sign_in()
    with current_context().database.begin(sign_in.tenant_id) as db:
        read = _read(db, sign_in)
        page = time_page(read.book, read.me, read.practice, read.patient_zone)
    form = ConfirmForm(
        formdata=None,
        stretches=[
            {"entries": " ".join(item.entry_ids), "activity": activity_key(item.activity)}
            for _, stretches in page.waiting_days
            for item in stretches
        ],
    )
    total = sum(item.seconds for item in page.waiting)
    return render_template(
        "clinician/time.html",
        patient=read.patient,
        banner=banner(read.patient),
        sign_in=sign_in,
        me=read.me,
        page=page,
        form=form,
        statement=STATEMENT,
        total=length_text(total),
    )


@chart_time.post("/time/confirm")
@requires("clinician")
def confirm() -> Response:
    """Signs what was shown. A second time, or from a second tab, it signs nothing more."""
    sign_in, context = clinician_sign_in(), current_context()
    form = ConfirmForm()
    if not form.validate_on_submit():
        return _back_to_stretches(form)
    choices = [_choice(entry) for entry in form.stretches.entries]
    try:
        with context.database.begin(sign_in.tenant_id) as db:
            me = db.get_one(PractitionerRow, practitioner_of(sign_in))
            done = confirm_time(db, patient_of(sign_in), me, choices, context.now())
    except ChangeRefused as error:
        flash(f"Nothing was signed. {error}", "error")
        return redirect(url_for("chart_time.time"))
    if done.seconds:
        flash(f"{length_text(done.seconds)} minutes confirmed and signed.", "success")
    elif not done.passed_over:
        flash("Left out. Nothing of it counts.", "success")
    if done.passed_over:
        flash("Some of what was shown had been confirmed or changed already.", "warn")
    return redirect(url_for("chart_time.time"))


@chart_time.route("/time/<fact_id>/correct", methods=["GET", "POST"])
@requires("clinician")
def correct(fact_id: str) -> ResponseReturnValue:
    """A correction of one's own time or talk: a new fact with its reason."""
    sign_in, context = clinician_sign_in(), current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        read = _read(db, sign_in)
        line = next((line for line in read.book.lines if line.id == fact_id), None)
        talk = next((talk for talk in read.book.talks if talk.first.id == fact_id), None)
        if line is not None:
            row = time_row(line, read.book, read.me, read.practice)
            form: Any = _time_form(line)
            day = line.local_date
        elif talk is not None:
            row = talk_row(talk, read.book, read.me, read.practice, read.patient_zone)
            form = _talk_form(talk, read.patient_zone)
            day = row.day
        else:
            abort(404, "There is no such time or talk in this chart.")
        if not row.own:
            abort(403, "Only the person whose it is can correct it, and only what still stands.")
        left = left_charges(db, read.patient.id, [day])
    if form.validate_on_submit():
        try:
            return _corrected(sign_in, form, line)
        except ChangeRefused as error:
            form.reason.errors = [*form.reason.errors, str(error)]
    page = render_template(
        "clinician/correct_time.html",
        patient=read.patient,
        banner=banner(read.patient),
        sign_in=sign_in,
        row=row,
        form=form,
        left=left,
        by_clock=line is not None and line.start is not None,
    )
    return page, 422 if form.errors else 200


@dataclass(frozen=True)
class _Read:
    """What the pages of one request are made of; two time zones, of practice and patient."""

    book: TimeBook
    patient: PatientRow
    me: PractitionerRow
    practice: ZoneInfo
    patient_zone: ZoneInfo


def _read(db: Session, sign_in: SignIn) -> _Read:
    patient = db.get_one(PatientRow, patient_of(sign_in))
    book = read_time_book(db, patient.id)
    if book is None:
        abort(404, "Remote monitoring has not been started for this patient.")
    me = db.get_one(PractitionerRow, practitioner_of(sign_in))
    practice = ZoneInfo(db.get_one(Tenant, patient.tenant_id).time_zone)
    return _Read(book, patient, me, practice, ZoneInfo(patient.time_zone))


def _choice(entry: Any) -> StretchChoice:
    shorten_to = entry.shorten_to.data
    return StretchChoice(
        entry_ids=tuple(entry.entries.data.split()),
        activity=activity_text(entry.activity.data),
        leave_out=entry.leave_out.data,
        shorten_to_s=None if shorten_to is None else shorten_to * 60,
        reason=entry.reason.data or "",
    )


def _back_to_stretches(form: ConfirmForm) -> Response:
    for number, entry in enumerate(form.stretches.entries, start=1):
        for field, errors in entry.form.errors.items():
            label = getattr(entry.form, field).label.text
            flash(f"Nothing was signed. Stretch {number}, {label}: {' '.join(errors)}", "error")
    return redirect(url_for("chart_time.time"))


def _time_form(line: TimeLine) -> CorrectTimeForm:
    return CorrectTimeForm(
        entries=" ".join(line.entry_ids),
        minutes=line.seconds // 60 or None,
        activity=activity_key(line.activity),
        date=line.local_date,
    )


def _talk_form(history: FactHistory, zone: ZoneInfo) -> CorrectTalkForm:
    talk = history.standing or history.first
    assert isinstance(talk, Interaction), "a history of a talk"
    return CorrectTalkForm(
        talk=talk.id,
        at=talk.at.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0),
        kind=talk.kind,
        minutes=talk.seconds // 60,
    )


def _corrected(
    sign_in: SignIn, form: CorrectTimeForm | CorrectTalkForm, line: TimeLine | None
) -> Response:
    """Records the correction, and says where a claim has left already. Raises ChangeRefused."""
    context = current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        now = context.now()
        patient = db.get_one(PatientRow, patient_of(sign_in))
        me = db.get_one(PractitionerRow, practitioner_of(sign_in))
        if isinstance(form, CorrectTimeForm):
            assert line is not None, "a form of a line of time"
            ids = form.entries.data.split()
            days = correct_time(db, patient.id, me, ids, _time_change(db, form, line, now), now)
        else:
            days = correct_talk(db, patient, me, form.talk.data, _talk_change(form), now)
        left = left_charges(db, patient.id, days)
    flash("Corrected. The first record and the reason are kept.", "success")
    if left:
        flash(_left_text(left), "warn")
    return redirect(url_for("chart_time.time"))


def _time_change(db: Session, form: CorrectTimeForm, line: TimeLine, now: datetime) -> TimeChange:
    """What differs from what was shown. A form's whole minutes leave the seconds as they are."""
    day = form.date.data
    if day is not None and day > _practice_day(db, now):
        raise ChangeRefused("Time can't be dated before it was spent.")
    minutes, shown = form.minutes.data, line.seconds // 60
    key = form.activity.data
    note = line.activity.partition(":")[2].strip()
    kept = activity_text(activity_key(line.activity))
    by_clock = line.start is not None
    return TimeChange(
        reason=form.reason.data,
        retract=form.retract.data,
        seconds=None if minutes in (None, shown) else minutes * 60,
        activity=None
        if key == activity_key(line.activity)
        else activity_text(key, "" if by_clock or line.activity == kept else note),
        local_date=None if day in (None, line.local_date) else day,
    )


def _talk_change(form: CorrectTalkForm) -> TalkChange:
    return TalkChange(
        reason=form.reason.data,
        retract=form.retract.data,
        local_at=form.at.data,
        kind=form.kind.data,
        # A form's whole minutes leave the seconds as they are.
        seconds=None
        if form.minutes.data == form.minutes.object_data
        else (form.minutes.data or 0) * 60,
    )


def _left_text(left: tuple[LeftCharge, ...]) -> str:
    named = ", ".join(
        f"{item.code} of {item.service_date} (claim {item.claim_id})" for item in left
    )
    return (
        f"{named} has left already and stays as it was sent. "
        "Where it is not what the ledger gives any more, billing sees it in its worklist."
    )


def _practice_day(db: Session, now: datetime) -> date:
    return db.get_one(Tenant, db.info["tenant_id"]).local(now).date()
