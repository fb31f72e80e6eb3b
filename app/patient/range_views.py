"""The patient's range of motion: choose a joint, send up to three recordings, see the result."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4
from zoneinfo import ZoneInfo

from flask import (
    Blueprint,
    abort,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.error_pages import error_page
from app.jobs.queue import current_jobs
from app.languages import language
from app.patient.consent_views import while_wanted
from app.patient.forms import RangeForm, started_at, what_is_wrong
from app.patient.measured_words import in_patients_words, problem_in_patients_words
from app.patient.names import REGIONS, SIDES
from app.patient.safety_gate import patient_standing
from app.range_rows import RangeLine, read_range_lines
from app.range_tests import (
    RangeTestConflict,
    RangeTestRefused,
    RangeTestReport,
    Upload,
    accept_range_test,
    measurable_movement,
    stored_result,
)
from app.sign_in import SignIn, current_context, requires, signed_in
from app.store import PatientRow, RangeTestRow
from rtm.range_of_motion import MOST_ATTEMPTS, RangeMovement, RangeResult, load_movements
from vision.kinematics import ANGLES

_METHODS = {
    "goniometer": _l("It comes from tests with a hand-held angle ruler."),
    "inclinometer": _l("It comes from tests with a tilt meter."),
    "inertial": _l("It comes from tests with a motion sensor."),
    "markerless": _l("It comes from tests with a phone camera."),
}

range_portal = Blueprint("range_portal", __name__, url_prefix="/portal/range")


@dataclass(frozen=True)
class ResultPage:
    """One test with its result, if there is one yet, and the joint's history, newest first."""

    row: RangeTestRow
    movement: RangeMovement
    line: RangeLine
    result: RangeResult | None
    history: tuple[RangeLine, ...]

    @property
    def name(self) -> str:
        name = self.movement.name[language()]
        return name if self.row.side is None else f"{name}, {SIDES[self.row.side]}"

    @property
    def problem(self) -> str | None:
        return problem_in_patients_words(self.row.problem)

    @property
    def warnings(self) -> tuple[str, ...]:
        return in_patients_words(self.result.warnings) if self.result else ()

    @property
    def about_mdc(self) -> str:
        """What the MDC is, and how it was found."""
        mdc = self.movement.mdc
        return _(
            "MDC is the smallest change that counts as a real one. Ours is %(mdc)s. %(method)s",
            mdc=self.line.mdc,
            method=_METHODS[mdc.method],
        )


@range_portal.get("")
@requires("patient")
def choose() -> str:
    """Every joint that a camera can measure, by region."""
    regions: dict[str, list[RangeMovement]] = {}
    for movement in load_movements():
        if movement.angle in ANGLES:
            regions.setdefault(str(REGIONS[movement.region]), []).append(movement)
    return render_template("portal/range.html", regions=regions)


@range_portal.get("/<joint_id>")
@requires("patient")
@while_wanted
def joint(joint_id: str) -> ResponseReturnValue:
    if patient_standing(_sign_in()).blocked_by is not None:
        return redirect(url_for("safety_portal.stop"), 303)
    try:
        movement = measurable_movement(joint_id)
    except RangeTestRefused as error:
        abort(404, str(error))
    return render_template(
        "portal/range_joint.html",
        movement=movement,
        form=RangeForm(test_id=str(uuid4())),
        most=MOST_ATTEMPTS,
        history=_history(joint_id),
        max_upload_bytes=current_context().settings.max_upload_bytes,
    )


@range_portal.post("/<joint_id>/tests")
@requires("patient")
def send_test(joint_id: str) -> ResponseReturnValue:
    """Accepts one to three recordings; the same test sent again is one test."""
    sign_in, context = _sign_in(), current_context()
    form = RangeForm()
    if not form.validate_on_submit():
        return _refused(what_is_wrong(form))
    report = RangeTestReport(
        test_id=form.test_id.data,
        movement_id=joint_id,
        side=form.side.data or None,
        measured_at=started_at(form.started_at.data, context.now()),
    )
    # A file field left empty is sent without a name.
    uploads = [
        Upload(each.filename, each.stream)  # type: ignore[arg-type]  # werkzeug's stream is a BinaryIO
        for each in request.files.getlist("recording")
        if each.filename
    ]
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    try:
        row = accept_range_test(context, sign_in.tenant_id, sign_in.patient_id, report, uploads)
    except RangeTestConflict as error:
        return _refused(str(error), 409)
    except RangeTestRefused as error:
        return _refused(str(error))
    current_jobs().measure_range(sign_in.tenant_id, row.id)
    target = url_for("range_portal.result", test_id=row.id)
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "text/html":
        return redirect(target, 303)
    return jsonify(test_id=row.id, status=row.status, result=target), 202


@range_portal.get("/tests/<test_id>")
@requires("patient")
def result(test_id: str) -> str:
    row = _own_test(test_id)
    history = _history(row.movement_id)
    page = ResultPage(
        row=row,
        movement=load_movements()[row.movement_id],
        line=next(line for line in history if line.id == row.id),
        result=stored_result(row),
        history=tuple(line for line in history if line.side == (row.side or "")),
    )
    return render_template("portal/range_result.html", page=page)


@range_portal.get("/tests/<test_id>/status.json")
@requires("patient")
def status(test_id: str) -> Response:
    row = _own_test(test_id)
    return jsonify(status=row.status, problem=row.problem)


def _own_test(test_id: str) -> RangeTestRow:
    """Answers 404 unless it is this patient's own test."""
    sign_in = _sign_in()
    with current_context().database.begin(sign_in.tenant_id) as db:
        row = db.scalar(
            select(RangeTestRow).where(
                RangeTestRow.id == test_id, RangeTestRow.patient_id == sign_in.patient_id
            )
        )
    if row is None:
        abort(404, _("There is no such test."))
    return row


def _history(movement_id: str) -> tuple[RangeLine, ...]:
    sign_in = _sign_in()
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    with current_context().database.begin(sign_in.tenant_id) as db:
        patient = db.get_one(PatientRow, sign_in.patient_id)
        lines = read_range_lines(db, patient.id, ZoneInfo(patient.time_zone), language())
    return tuple(line for line in lines if line.movement_id == movement_id)


def _refused(message: str, code: int = 422) -> ResponseReturnValue:
    return error_page(_("This could not be sent"), message, code)


def _sign_in() -> SignIn:
    return signed_in("patient")
