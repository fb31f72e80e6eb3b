"""The chart page, inside the EHR's frame."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import Blueprint, abort, flash, redirect, render_template, url_for
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
    AlertForm,
    EpisodeForm,
    InteractionForm,
    TimeForm,
    back_with_errors,
)
from app.clinician.portal_access import read_portal_access
from app.clinician.portal_views import AnswerForm, invitation_form
from app.clinician.proposal_views import ProposalForm, open_proposal
from app.clinician.proposal_words import proposal_text
from app.languages import LANGUAGES
from app.printed_program import pdf_answer, printed_program
from app.proposals import proposed_program
from app.sign_in import SignIn, current_context, requires
from app.store import PatientRow, PractitionerRow
from fhir.client import FhirError
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
        alert_form=AlertForm(),
        time_form=TimeForm(date=today),
        interaction_form=InteractionForm(at=view.local_now),
        portal=read_portal_access(context, sign_in),
        **_proposal(sign_in),
        invitation_form=invitation_form(view.patient),
        answer_form=AnswerForm(),
    )


def _proposal(sign_in: SignIn) -> dict[str, Any]:
    """What the chart shows of a proposal; nothing where there is none."""
    found, patient = open_proposal(sign_in)
    if found is None:
        return {"proposal": None}
    return {
        "proposal": found,
        "proposal_text": proposal_text(found),
        "proposal_signs": proposed_program(found, patient, found.proposal.as_of) is not None,
        "proposal_form": ProposalForm(digest=found.digest, signing_key=str(uuid4())),
    }


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
