"""The patient's language: which of ours a page of the portal is written in."""

from __future__ import annotations

from typing import Literal, get_args

from flask import Flask, has_request_context, request, session
from flask_babel import Babel

Language = Literal["en", "es"]

LANGUAGES: tuple[Language, ...] = get_args(Language)

_CHOSEN = "language"
_PORTAL = "/portal"


def translate_pages(app: Flask) -> None:
    """Makes `_()` of templates and `flask_babel.gettext` speak the request's language."""
    Babel(app, default_locale=LANGUAGES[0], locale_selector=language)
    app.jinja_env.globals.update(language=language)


def language() -> Language:
    """The language chosen here, else the best of those that the browser prefers.

    Only patients have a choice: the clinicians' and the billing office's pages are English.
    """
    if not has_request_context() or not request.path.startswith(_PORTAL):
        return LANGUAGES[0]
    wanted = (session.get(_CHOSEN), request.accept_languages.best_match(LANGUAGES))
    return next((one for one in LANGUAGES if one == (wanted[0] or wanted[1])), LANGUAGES[0])


def choose_language(wanted: Language) -> None:
    """Holds in this browser until another is chosen."""
    session[_CHOSEN] = wanted
