"""An error as a page for people and as JSON for programs; never with patient data in it."""

from __future__ import annotations

from flask import jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from werkzeug.exceptions import HTTPException

from app.languages import for_a_patient

# Title and words for patients, by status; other statuses take the last.
_FOR_PATIENTS: dict[int, tuple[LazyString, LazyString]] = {
    401: (_l("Please sign in"), _l("Open the portal again and sign in.")),
    403: (_l("This is not for you to see"), _l("Please go back to your exercises.")),
    404: (_l("There is no such page"), _l("Please go back to your exercises.")),
    413: (_l("This file is too large"), _l("Please send a smaller file.")),
}
_OTHERWISE = (_l("This did not work"), _l("Please go back and try again."))


def error_page(
    title: str, message: str, status: int, detail: str | None = None
) -> ResponseReturnValue:
    """What the browser or program asked for gets `message`.

    `detail` is the reason in technical English, for whoever helps the person of the page.
    """
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "text/html":
        page = render_template(
            "error.html", title=title, message=message, status=status, detail=detail
        )
        return page, status
    return jsonify({"error": message, **({"detail": detail} if detail else {})}), status


def http_error_words(error: HTTPException) -> tuple[str, str]:
    """Title and message: for patients in plain words, or in those that the error was given."""
    own = error.description if error.description != type(error).description else None
    if not for_a_patient():
        return error.name, error.description or error.name
    title, message = _FOR_PATIENTS.get(error.code or 0, _OTHERWISE)
    return str(title), own or str(message)
