"""The patient's language: which of ours a page of the portal is written in.

Only patients have a choice: the clinicians' and the billing office's pages are English.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, get_args

from flask import Flask, Response, current_app, g, has_request_context, request, url_for
from flask_babel import Babel

from app.config import Settings
from app.sign_in import SignIn, current_context, host_bound
from app.store import PatientRow

Language = Literal["en", "es"]

LANGUAGES: tuple[Language, ...] = get_args(Language)

# What each calls itself, as the switch on every page shows it.
NAMES: dict[Language, str] = {"en": "English", "es": "Español"}

# The portal's patients live in the United States, whatever their language: their dates are in
# the language's words, and a decimal point is a point.
_COUNTRY = "US"

_PORTAL = "/portal"
_KEPT_FOR_S = 365 * 24 * 3600


def translate_pages(app: Flask) -> None:
    """Makes `_()` of templates and `flask_babel.gettext` speak the request's language."""
    Babel(app, default_locale=LANGUAGES[0], locale_selector=lambda: f"{language()}_{_COUNTRY}")
    app.jinja_env.globals.update(
        first_page=first_page,
        for_a_patient=for_a_patient,
        language=language,
        language_names=NAMES,
        page_to_return_to=page_to_return_to,
    )


def language() -> Language:
    """The patient's own choice, else this browser's, else the health system's record of the
    patient (FHIR `Patient.communication`), else the best of those that the browser prefers."""
    if not for_a_patient():
        return LANGUAGES[0]
    sign_in: SignIn | None = g.get("sign_ins", {}).get("patient")
    wanted = (
        sign_in.language if sign_in else None,
        request.cookies.get(_cookie(current_context().settings)),
        sign_in.language_of_record if sign_in else None,
        request.accept_languages.best_match(LANGUAGES),
    )
    return next(_ours(wanted), LANGUAGES[0])


def language_of(patient: PatientRow) -> Language:
    """In which to write to a patient who is not here: the own choice, else the record's."""
    return next(_ours((patient.language, patient.demographics.get("language"))), LANGUAGES[0])


def for_a_patient() -> bool:
    """Whether the page of this request is one that patients see."""
    if not has_request_context():
        return False
    path = request.path
    return path == _PORTAL or path.startswith((f"{_PORTAL}/", "/sign-out/patient"))


def keep_in_browser(response: Response, chosen: Language) -> None:
    """For a year, or until another is chosen here."""
    config = current_app.config
    response.set_cookie(
        _cookie(current_context().settings),
        chosen,
        httponly=True,
        secure=config.get("SESSION_COOKIE_SECURE", False),
        samesite=config["SESSION_COOKIE_SAMESITE"],
        partitioned=config.get("SESSION_COOKIE_PARTITIONED", False),
        max_age=_KEPT_FOR_S,
        path="/",
    )


def page_to_return_to() -> str:
    """The address of this page; the portal's first page where it can't be asked for again."""
    if request.method != "GET" or request.blueprint == "launch" or not for_a_patient():
        return first_page()
    return request.full_path.removesuffix("?")


def first_page() -> str:
    """Of the portal: today's exercises, or where to sign in."""
    signed_in = "patient" in g.get("sign_ins", {})
    return url_for("portal.today" if signed_in else "portal.welcome")


def _ours(tags: Iterable[str | None]) -> Iterator[Language]:
    """Of BCP 47 tags those that are ours, whatever their region: `es-MX` is Spanish."""
    for tag in tags:
        primary = (tag or "").replace("_", "-").split("-")[0].lower()
        yield from (one for one in LANGUAGES if one == primary)


def _cookie(settings: Settings) -> str:
    return host_bound(settings, "hs_language")
