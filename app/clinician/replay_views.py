"""Looking at a session again, from the chart."""

from __future__ import annotations

from flask import Blueprint, abort, jsonify, render_template
from flask.typing import ResponseReturnValue

from app.clinician.chart_request import clinician_sign_in, patient_of
from app.clinician.replay import NoFrames, NoSuchSession, read_frames, read_replay
from app.sign_in import current_context, requires

chart_replay = Blueprint("chart_replay", __name__, url_prefix="/chart/sessions")


@chart_replay.get("/<session_id>")
@requires("clinician")
def replay(session_id: str) -> str:
    """The figure, the angle, and every repetition of a session."""
    sign_in = clinician_sign_in()
    try:
        with current_context().database.begin(sign_in.tenant_id) as db:
            page = read_replay(db, patient_of(sign_in), session_id)
    except NoSuchSession as error:
        abort(404, str(error))
    return render_template("clinician/replay.html", page=page, session_id=session_id)


@chart_replay.get("/<session_id>/frames.json")
@requires("clinician")
def frames(session_id: str) -> ResponseReturnValue:
    """The landmarks, thinned."""
    sign_in = clinician_sign_in()
    try:
        found = read_frames(current_context(), sign_in.tenant_id, patient_of(sign_in), session_id)
    except (NoSuchSession, NoFrames) as error:
        return jsonify(error=str(error)), 404
    return jsonify(found)
