"""The patient's progress, and what comes with it."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request

from app.languages import language
from app.patient.progress_page import NoSuchMonth, read_progress
from app.sign_in import current_context, requires, signed_in

progress_portal = Blueprint("progress_portal", __name__, url_prefix="/portal")


@progress_portal.get("/progress")
@requires("patient")
def progress() -> str:
    try:
        page = read_progress(
            current_context(), signed_in("patient"), language(), request.args.get("month")
        )
    except NoSuchMonth:
        abort(404, "There is no such month in your program.")
    return render_template("portal/progress.html", page=page)
