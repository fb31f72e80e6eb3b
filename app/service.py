"""The web application: its parts, its error pages, and the headers that every answer carries."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, Response, g, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from app import __version__, launch, sign_out
from app.api.facade import facade
from app.api.openapi import api
from app.assets import ViteAssets
from app.billing_office.claim_views import office_claims
from app.billing_office.views import office
from app.clinician.alert_views import chart_alerts
from app.clinician.message_views import chart_messages
from app.clinician.panel_views import panel
from app.clinician.portal_views import chart_portal
from app.clinician.program_views import programs
from app.clinician.proposal_views import chart_proposals
from app.clinician.replay_views import chart_replay
from app.clinician.time_views import chart_time
from app.clinician.views import clinician
from app.config import Settings
from app.context import Context, open_context
from app.ehr_colours import ehr_colours
from app.error_pages import error_page, http_error_words
from app.frame_policy import frame_ancestors
from app.granted import notes
from app.issuers import Issuers
from app.jobs.queue import JobQueue, make_celery
from app.languages import translate_pages
from app.operations.views import operations
from app.outcomes import measures
from app.patient.consent_views import consent_portal
from app.patient.guided_views import guided_portal
from app.patient.installable_views import installable
from app.patient.join_views import join_portal
from app.patient.language_views import language_portal
from app.patient.learn_views import learn_portal
from app.patient.live_views import live_portal
from app.patient.message_views import patient_messages
from app.patient.progress_views import progress_portal
from app.patient.questionnaire_views import questionnaire_portal
from app.patient.range_views import range_portal
from app.patient.reminder_views import patient_reminders
from app.patient.safety_views import safety_portal
from app.patient.settings_views import settings_portal
from app.patient.stop_views import stops
from app.patient.views import portal
from app.patient.words import page_words
from app.sign_in import SignIn, host_bound, load_sign_in

log = structlog.get_logger(__name__)


def create_app(settings: Settings | None = None, context: Context | None = None) -> Flask:
    """The WSGI application. Both arguments are for tests; settings come from the environment."""
    context = context or open_context(settings or Settings())
    settings = context.settings
    measures(context)  # licensed texts that do not fit are refused at the start
    app = Flask(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=context.keys.secret_key,
        MAX_CONTENT_LENGTH=settings.max_upload_bytes,
        MAX_FORM_MEMORY_SIZE=4 * 1024 * 1024,
        SESSION_COOKIE_NAME=host_bound(settings, "hs_browser"),
        SESSION_COOKIE_HTTPONLY=True,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.sign_in_hours),
        WTF_CSRF_TIME_LIMIT=None,
        **_cookie_policy(settings),
    )
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # as Flask documents it
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0
        )
    app.extensions["homestretch"] = context
    app.extensions["homestretch_jobs"] = JobQueue(make_celery(context))
    app.extensions["homestretch_issuers"] = Issuers()
    csrf = CSRFProtect(app)
    parts = (
        launch.blueprint,
        sign_out.blueprint,
        ehr_colours,
        clinician,
        programs,
        chart_time,
        chart_portal,
        chart_alerts,
        panel,
        chart_messages,
        chart_proposals,
        chart_replay,
        portal,
        language_portal,
        join_portal,
        consent_portal,
        settings_portal,
        patient_messages,
        patient_reminders,
        stops,
        installable,
        live_portal,
        guided_portal,
        range_portal,
        safety_portal,
        progress_portal,
        questionnaire_portal,
        learn_portal,
        office,
        office_claims,
        operations,
        api,
        facade,
    )
    for part in parts:
        app.register_blueprint(part)
    csrf.exempt(stops)  # no session: signed links, and signed requests of the SMS gateway
    csrf.exempt(facade)  # bearer tokens only: a browser adds none by itself
    app.before_request(load_sign_in)
    app.after_request(_secure_headers(settings))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected_error)
    assets = ViteAssets(Path(__file__).parent / "web" / "static")
    translate_pages(app)
    app.jinja_env.globals.update(
        asset_tags=assets.tags, version=__version__, ehr_notes=_ehr_notes, page_words=page_words
    )
    app.register_blueprint(assets.blueprint())
    return app


def _cookie_policy(settings: Settings) -> dict[str, Any]:
    """Inside an EHR's frame a cookie must be `SameSite=None; Partitioned`, which needs HTTPS."""
    if settings.is_https:
        return {
            "SESSION_COOKIE_SECURE": True,
            "SESSION_COOKIE_SAMESITE": "None",
            "SESSION_COOKIE_PARTITIONED": True,
        }
    return {"SESSION_COOKIE_SAMESITE": "Lax"}


# Where the pose estimator is compiled: the page and the worker that it starts.
_WEB_ASSEMBLY = ("live_portal", "assets")


def _secure_headers(settings: Settings) -> Any:
    fixed = (
        "default-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
    )

    def add(response: Response) -> Response:
        compiles = " 'wasm-unsafe-eval'" if request.blueprint in _WEB_ASSEMBLY else ""
        policy = (
            *fixed,
            f"script-src 'self'{compiles}",
            f"frame-ancestors {frame_ancestors(settings)}",
        )
        response.headers["Content-Security-Policy"] = "; ".join(policy)
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        return response

    return add


def _ehr_notes() -> tuple[str, ...]:
    """What the EHR did not let the person of this page do, in plain words."""
    sign_in: SignIn | None = g.get("sign_in")
    return () if sign_in is None else notes(sign_in.role, sign_in.not_granted)


def _http_error(error: HTTPException) -> ResponseReturnValue:
    title, own_message = http_error_words(error)
    if isinstance(error, CSRFError):
        message = _("This page was open too long. Go back, load it again, and try again.")
    elif error.code == 413:
        message = _(
            "This file is too large. The most that can be sent is %(most)s MB.",
            most=(request.max_content_length or 0) // (1024 * 1024),
        )
    else:
        message = own_message
    return error_page(title, message, error.code or 500)


def _unexpected_error(error: Exception) -> ResponseReturnValue:
    log.exception("unexpected_error", endpoint=request.endpoint, method=request.method)
    return error_page(
        _("Something went wrong"), _("The error was recorded. Please try again."), 500
    )
