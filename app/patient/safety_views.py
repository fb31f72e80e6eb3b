"""The safety questions before a session, and the page that says whom to call."""

from __future__ import annotations

from uuid import uuid4

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.languages import language
from app.patient.safety_gate import patient_standing, place_after
from app.safety import ScreenRefused, answer, care_team_phone
from app.sign_in import current_context, requires, signed_in
from rtm.safety import InvalidScreen, load_safety

safety_portal = Blueprint("safety_portal", __name__, url_prefix="/portal/safety")

_ANSWERS = {"yes": True, "no": False}


@safety_portal.get("")
@requires("patient")
def questions() -> ResponseReturnValue:
    return _page()


@safety_portal.post("")
@requires("patient")
def send_answers() -> ResponseReturnValue:
    """Stores the answers; the same page sent again is one set of answers."""
    sign_in = signed_in("patient")
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    given = {
        name.removeprefix("answer-"): _ANSWERS.get(value)
        for name, value in request.form.items()
        if name.startswith("answer-")
    }
    answers = {name: value for name, value in given.items() if value is not None}
    if patient_standing(sign_in).blocked_by is not None:  # the care team knows already
        return redirect(url_for("safety_portal.stop"), 303)
    try:
        screen = answer(
            current_context(),
            sign_in.tenant_id,
            sign_in.patient_id,
            screen_id=request.form.get("screen_id", ""),
            answers=answers,
            language=language(),
        )
    except ScreenRefused as error:
        abort(422, str(error))
    except InvalidScreen:
        flash(_("Please answer each question with yes or no."), "error")
        return _page(answers, 422)
    if screen.outcome != "go_on":
        return redirect(url_for("safety_portal.stop"), 303)
    return redirect(place_after(request.form.get("then")), 303)


@safety_portal.get("/stop")
@requires("patient")
def stop() -> ResponseReturnValue:
    sign_in = signed_in("patient")
    blocked_by = patient_standing(sign_in).blocked_by
    if blocked_by is None:
        return redirect(url_for("portal.today"), 303)
    with current_context().database.begin(sign_in.tenant_id) as db:
        phone = care_team_phone(db, sign_in.tenant_id)
    return render_template("portal/rest_now.html", outcome=blocked_by.facts.outcome, phone=phone)


def _page(answers: dict[str, bool] | None = None, code: int = 200) -> ResponseReturnValue:
    stands = patient_standing(signed_in("patient"))
    if stands.blocked_by is not None:
        return redirect(url_for("safety_portal.stop"), 303)
    if stands.program is None:
        return redirect(url_for("portal.today"), 303)
    page = render_template(
        "portal/safety.html",
        questions=load_safety().questions_for(stands.program),
        answers=answers or {},
        screen_id=str(uuid4()),
        then=place_after(request.values.get("then")),
    )
    return page, code
