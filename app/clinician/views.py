"""The chart page and prescribing, inside the EHR's frame."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import rtm_book
from app.chart_intake import PersonUnknown, read_patient_again
from app.clinician.chart import read_chart
from app.clinician.chart_request import (
    clinician_sign_in,
    hold_to_the_chart_shown,
    patient_of,
    practitioner_of,
)
from app.clinician.forms import (
    WEEKDAY_CHOICES,
    EpisodeForm,
    InteractionForm,
    ProgramForm,
    TimeForm,
    back_with_errors,
)
from app.jobs.queue import current_jobs
from app.languages import LANGUAGES
from app.prescribing import current_program, sign, whereabouts
from app.printed_program import pdf_answer, printed_program
from app.sign_in import current_context, requires
from app.store import PatientRow, PractitionerRow
from fhir.client import FhirError
from rtm.exercises import load_library
from rtm.program import Dose, PrescribedExercise, Program
from rtm.protocols import UnknownProtocol, draft_program, load_protocols
from smart_launch.errors import LaunchRefused

clinician = Blueprint("clinician", __name__, url_prefix="/chart")
clinician.before_request(hold_to_the_chart_shown)


@clinician.get("")
@requires("clinician")
def chart() -> str:
    """Everything of one patient on one screen."""
    sign_in = clinician_sign_in()
    context = current_context()
    view = read_chart(context, sign_in)
    today = view.today
    return render_template(
        "clinician/chart.html",
        chart=view,
        sign_in=sign_in,
        episode_form=EpisodeForm(start=today),
        time_form=TimeForm(date=today),
        interaction_form=InteractionForm(at=view.local_now),
    )


@clinician.get("/program.<language>.pdf")
@requires("clinician")
def program_paper(language: str) -> Response:
    """The signed program to print and give along, in the patient's language."""
    sign_in = clinician_sign_in()
    wanted = next((known for known in LANGUAGES if known == language), None)
    if wanted is None:
        abort(404, f"There is no paper in {language!r}, but in: {', '.join(LANGUAGES)}.")
    pdf = printed_program(current_context(), sign_in.tenant_id, patient_of(sign_in), wanted)
    if pdf is None:
        abort(404, "There is no signed program to print.")
    return pdf_answer(pdf)


@clinician.get("/prescribe")
@requires("clinician")
def choose_protocol() -> str:
    view = read_chart(current_context(), clinician_sign_in())
    return render_template("clinician/protocols.html", chart=view, protocols=list(load_protocols()))


@clinician.route("/prescribe/<protocol_id>/<phase_id>", methods=["GET", "POST"])
@requires("clinician")
def prescribe(protocol_id: str, phase_id: str) -> str | Response:
    """Adjust the protocol's doses and sign."""
    sign_in, context = clinician_sign_in(), current_context()
    view = read_chart(context, sign_in)
    draft = _draft(protocol_id, phase_id, view.today, request.values.get("side", "right"))
    form = ProgramForm(data=_form_data(draft)) if request.method == "GET" else ProgramForm()
    if form.validate_on_submit():
        row = sign(
            context,
            sign_in.tenant_id,
            patient_id=patient_of(sign_in),
            practitioner_id=practitioner_of(sign_in),
            draft=_adjusted(draft, form),
            signing_key=form.signing_key.data,
        )
        current_jobs().deliver(sign_in.tenant_id, row.patient_id)
        flash(f"Signed. Version {row.version} is on its way to the chart.", "success")
        return redirect(url_for("clinician.chart"))
    return render_template(
        "clinician/prescribe.html",
        chart=view,
        draft=draft,
        form=form,
        library=load_library(),
        protocol=load_protocols()[protocol_id],
    ), 422 if form.errors else 200  # type: ignore[return-value]  # flask takes the pair


@clinician.get("/program.json")
@requires("clinician")
def program_status() -> Response:
    """Whether the newest program has reached the EHR, for the page to poll."""
    sign_in = clinician_sign_in()
    with current_context().database.begin(sign_in.tenant_id) as db:
        current = current_program(db, patient_of(sign_in))
        if current is None:
            abort(404, "No program has been signed for this patient.")
        row = current[0]
        sent = whereabouts(db, row)
    return jsonify(
        version=row.version,
        careplan=row.careplan_reference,
        read_back_at=row.read_back_at.isoformat() if row.read_back_at else None,
        state=sent.state,
        document=sent.document,
    )


@clinician.post("/read-again")
@requires("clinician")
def read_again() -> Response:
    """Reads the patient anew from the EHR, as the person who is signed in."""
    sign_in = clinician_sign_in()
    try:
        missing = read_patient_again(current_context(), sign_in, patient_of(sign_in))
    except (FhirError, LaunchRefused, PersonUnknown) as error:
        flash(f"The EHR was not read: {error}", "error")
    else:
        if missing:
            flash("Read again. The EHR still does not let us read everything.", "warn")
        else:
            flash("Read again from the EHR: everything is here.", "success")
    return redirect(url_for("clinician.chart"))


@clinician.post("/episode")
@requires("clinician")
def start_episode() -> Response:
    sign_in, context = clinician_sign_in(), current_context()
    form = EpisodeForm()
    if not form.validate_on_submit():
        return back_with_errors(form)
    with context.database.begin(sign_in.tenant_id) as db:
        rtm_book.start_episode(
            db,
            db.get_one(PatientRow, patient_of(sign_in)),
            db.get_one(PractitionerRow, practitioner_of(sign_in)),
            start=form.start.data,
            set_up=form.setup_completed.data,
            therapy_plan=form.therapy_plan.data or None,
            now=context.now(),
        )
    flash("Remote monitoring has started.", "success")
    return redirect(url_for("clinician.chart"))


def _draft(protocol_id: str, phase_id: str, today: date, side: str) -> Program:
    if side not in ("left", "right", "bilateral"):
        abort(400, "The side must be left, right or bilateral.")
    try:
        protocol = load_protocols()[protocol_id]
        phase = protocol.phase(phase_id)
    except UnknownProtocol as error:
        abort(404, str(error.args[0]))
    return draft_program(protocol, phase, id=str(uuid4()), start=today, side=side)  # type: ignore[arg-type]  # checked above


def _form_data(draft: Program) -> dict[str, Any]:
    return {
        "signing_key": str(uuid4()),
        "start": draft.start,
        "lines": [
            {
                "exercise_id": line.exercise_id,
                "include": True,
                "side": line.side,
                "sets": line.dose.sets,
                "repetitions": line.dose.repetitions,
                "hold_s": int(line.dose.hold_s),
                "weekdays": _weekday_choice(line.dose),
                "note": line.note,
            }
            for line in draft.exercises
        ],
    }


def _weekday_choice(dose: Dose) -> str:
    for choice in WEEKDAY_CHOICES:
        if frozenset(choice.split(",")) == dose.weekdays:
            return choice
    return next(iter(WEEKDAY_CHOICES))


def _adjusted(draft: Program, form: ProgramForm) -> Program:
    """`draft` with the form's doses; only exercises of the protocol's phase can be in it."""
    offered = {line.exercise_id: line for line in draft.exercises}
    lines = []
    for entry in form.lines.entries:
        offer = offered.get(entry.exercise_id.data)
        if offer is None:
            abort(400, f"{entry.exercise_id.data} is not part of this protocol's phase.")
        if entry.include.data:
            dose = replace(
                offer.dose,
                sets=entry.sets.data,
                repetitions=entry.repetitions.data,
                hold_s=float(entry.hold_s.data),
                weekdays=frozenset(entry.weekdays.data.split(",")),
            )
            lines.append(
                PrescribedExercise(offer.exercise_id, entry.side.data, dose, entry.note.data or "")
            )
    length = draft.end - draft.start
    start = form.start.data
    return replace(draft, exercises=tuple(lines), start=start, end=start + length)
