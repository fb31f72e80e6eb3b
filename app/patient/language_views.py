"""The switch between languages on every page of the portal."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, g, redirect, request
from flask_babel import gettext as _

from app.languages import LANGUAGES, keep_in_browser
from app.sign_in import SignIn, current_context
from app.store import PatientRow

language_portal = Blueprint("language_portal", __name__, url_prefix="/portal/language")


@language_portal.post("")
def choose() -> Response:
    """Keeps the choice in the browser and, once signed in, for the patient; then back."""
    chosen, back = request.form.get("language", ""), request.form.get("back", "")
    if chosen not in LANGUAGES:
        abort(422, _("We do not have this language yet. Please choose one of those on the page."))
    if not _is_own_page(back):
        abort(422, _("We can't go back to that page. Please open your exercises again."))
    sign_in: SignIn | None = g.sign_ins.get("patient")
    if sign_in is not None:
        with current_context().database.begin(sign_in.tenant_id) as db:
            db.get_one(PatientRow, sign_in.patient_id).language = chosen
    response = cast(Response, redirect(back, 303))
    keep_in_browser(response, chosen)
    return response


def _is_own_page(address: str) -> bool:
    """A path of the portal and nothing else: no other host can be behind it."""
    parts = urlsplit(address)
    inside = parts.path == "/portal" or parts.path.startswith("/portal/")
    return inside and not parts.scheme and not parts.netloc and "\\" not in address
