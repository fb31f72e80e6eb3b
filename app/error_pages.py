"""An error as a page for people and as JSON for programs; never with patient data in it."""

from __future__ import annotations

from flask import jsonify, render_template, request
from flask.typing import ResponseReturnValue


def error_page(title: str, message: str, status: int) -> ResponseReturnValue:
    """What the browser or program asked for gets `message`."""
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "text/html":
        return render_template("error.html", title=title, message=message, status=status), status
    return jsonify(error=message), status
