"""Choosing where a program begins, building it, signing it, and its versions."""

from __future__ import annotations

from uuid import uuid4

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from app.clinician.chart import read_chart
from app.clinician.chart_request import (
    clinician_sign_in,
    hold_to_the_chart_shown,
    patient_of,
    practitioner_of,
)
from app.clinician.form_lines import FormData
from app.clinician.program_builder import (
    Beginning,
    edited,
    form_data,
    offers,
    program_of,
)
from app.clinician.program_forms import ProgramForm
from app.clinician.program_shelf import (
    favourites_of,
    retire_template,
    save_template,
    saved_template,
    saved_templates,
    turn_favourite,
)
from app.clinician.program_versions import read_versions
from app.clinician.proposal_views import open_proposal
from app.jobs.queue import current_jobs
from app.languages import language_of
from app.patient.pages import today_line
from app.prescribing import again, current_program, sign, whereabouts
from app.proposals import decide, proposed_program
from app.sign_in import current_context, requires
from rtm.program import Program
from rtm.protocols import ProtocolLibrary, UnknownProtocol, draft_program, with_variants

programs = Blueprint("programs", __name__, url_prefix="/chart")
programs.before_request(hold_to_the_chart_shown)


@programs.get("/prescribe")
@requires("clinician")
def choose() -> str:
    """Where to begin: the program there is, a saved template, or a protocol's phase."""
    sign_in = clinician_sign_in()
    view = read_chart(current_context(), sign_in)
    with current_context().database.begin(sign_in.tenant_id) as db:
        templates = saved_templates(db)
    return render_template(
        "clinician/protocols.html",
        chart=view,
        protocols=list(_protocols()),
        templates=templates,
        practitioner_id=practitioner_of(sign_in),
    )


@programs.route("/prescribe/<protocol_id>/<phase_id>", methods=["GET", "POST"])
@requires("clinician")
def from_protocol(protocol_id: str, phase_id: str) -> ResponseReturnValue:
    view = read_chart(current_context(), clinician_sign_in())
    side = request.values.get("side", "right")
    if side not in ("left", "right", "bilateral"):
        abort(400, "The side must be left, right or bilateral.")
    try:
        protocol = _protocols()[protocol_id]
        phase = protocol.phase(phase_id)
    except UnknownProtocol as error:
        abort(404, str(error.args[0]))
    draft = draft_program(
        protocol,
        phase,
        id=str(uuid4()),
        start=view.today,
        side=side,  # type: ignore[arg-type]  # checked above
        language=language_of(view.patient),
    )
    return _build(Beginning(draft, protocol))


@programs.route("/prescribe/current", methods=["GET", "POST"])
@requires("clinician")
def from_current() -> ResponseReturnValue:
    """The newest program once more, from today."""
    view = read_chart(current_context(), clinician_sign_in())
    if view.program is None:
        abort(404, "No program has been signed for this patient.")
    return _build(Beginning.of(again(view.program, view.today), _protocols()))


@programs.route("/prescribe/proposed", methods=["GET", "POST"])
@requires("clinician")
def from_proposal() -> ResponseReturnValue:
    """What the results suggest, to be changed before it is signed."""
    sign_in = clinician_sign_in()
    found, patient = open_proposal(sign_in)
    program = None if found is None else proposed_program(found, patient, found.proposal.as_of)
    if found is None or program is None:
        abort(404, "The results suggest no other program now.")
    answer = _build(Beginning(program, found.protocol))
    if isinstance(answer, Response):  # it was signed
        context = current_context()
        decide(context, sign_in.tenant_id, found, "edited", practitioner_of(sign_in))
    return answer


@programs.route("/prescribe/saved/<int:template_id>", methods=["GET", "POST"])
@requires("clinician")
def from_template(template_id: int) -> ResponseReturnValue:
    sign_in = clinician_sign_in()
    today = read_chart(current_context(), sign_in).today
    with current_context().database.begin(sign_in.tenant_id) as db:
        template = saved_template(db, template_id)
    if template is None:
        abort(404, "This template is not there any more.")
    return _build(Beginning.of(again(template, today), _protocols()))


@programs.post("/prescribe/saved/<int:template_id>/retire")
@requires("clinician")
def retire(template_id: int) -> Response:
    sign_in, context = clinician_sign_in(), current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        name = retire_template(db, template_id, practitioner_of(sign_in), context.now())
    if name is None:
        abort(404, "Only who saved a template can take it from the list.")
    flash(f"“{name}” is not offered any more.", "success")
    return redirect(url_for("programs.choose"))


@programs.get("/program.json")
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


@programs.get("/program/versions")
@requires("clinician")
def versions() -> str:
    """Every signed version, the newest first, with what it changed."""
    sign_in, context = clinician_sign_in(), current_context()
    view = read_chart(context, sign_in)
    with context.database.begin(sign_in.tenant_id) as db:
        found = read_versions(db, patient_of(sign_in), view.local_now.tzinfo)
    return render_template("clinician/program_versions.html", chart=view, versions=found)


def _protocols() -> ProtocolLibrary:
    """Those that ship, and the variants of this deployment."""
    return with_variants(current_context().settings.protocols_dir)


def _build(beginning: Beginning) -> ResponseReturnValue:
    """The builder: shown, changed by a step, or signed."""
    if request.method == "GET":
        form = ProgramForm(data=form_data(beginning.draft))
        return _shown(beginning, form, _as_sent(form))
    what = request.form.get("do", "sign")
    if what in ("sign", "save"):
        form = ProgramForm()
        if not form.validate_on_submit():
            return _shown(beginning, form, request.form), 422
        program = program_of(beginning.draft, form)
        return _signed(program, form) if what == "sign" else _saved(beginning, program, form)
    sign_in = clinician_sign_in()
    if what.startswith("star-"):
        with current_context().database.begin(sign_in.tenant_id) as db:
            turn_favourite(db, practitioner_of(sign_in), what.removeprefix("star-"))
    data = edited(MultiDict(request.form), what, beginning)
    form = ProgramForm(formdata=data)
    form.validate()  # what can't be signed is said while it is made
    return _shown(beginning, form, data, step=what)


def _signed(program: Program, form: ProgramForm) -> Response:
    sign_in = clinician_sign_in()
    row = sign(
        current_context(),
        sign_in.tenant_id,
        patient_id=patient_of(sign_in),
        practitioner_id=practitioner_of(sign_in),
        draft=program,
        signing_key=form.signing_key.data,
    )
    current_jobs().deliver(sign_in.tenant_id, row.patient_id)
    flash(f"Signed. Version {row.version} is on its way to the chart.", "success")
    return redirect(url_for("clinician.chart"))


def _saved(beginning: Beginning, program: Program, form: ProgramForm) -> ResponseReturnValue:
    name = (form.template_name.data or "").strip()
    if not name:
        form.template_name.errors = [*form.template_name.errors, "Give the template a name."]
        return _shown(beginning, form, request.form), 422
    sign_in, context = clinician_sign_in(), current_context()
    with context.database.begin(sign_in.tenant_id) as db:
        save_template(db, name, program, practitioner_of(sign_in), context.now())
    flash(f"Saved as the template “{name}”. Nothing was signed yet.", "success")
    return _shown(beginning, form, request.form)


def _shown(beginning: Beginning, form: ProgramForm, data: FormData, step: str = "") -> str:
    """The page; `step` is what was just done, so that the keyboard stays where it was."""
    sign_in = clinician_sign_in()
    with current_context().database.begin(sign_in.tenant_id) as db:
        favourites = favourites_of(db, practitioner_of(sign_in))
    lines = () if form.errors else program_of(beginning.draft, form).exercises
    return render_template(
        "clinician/prescribe.html",
        chart=read_chart(current_context(), sign_in),
        beginning=beginning,
        form=form,
        offers=offers(beginning, data, favourites),
        preview=[today_line(line, done=False) for line in lines],
        step=step,
    )


def _as_sent(form: ProgramForm) -> FormData:
    """A form that was not sent yet, as a browser would send its lines."""
    return MultiDict(
        (field.name, str(field.data)) for entry in form.lines.entries for field in entry.form
    )
