"""Who this browser is: a random cookie whose hash names a sign-in row."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from typing import Literal, ParamSpec, TypeVar

import structlog
from flask import Response, abort, current_app, g, request, session
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy import select

from app.config import Settings
from app.context import Context
from app.store import ALL_TENANTS, PatientRow, SignInRow, Tenant

Role = Literal["clinician", "patient", "biller"]
P = ParamSpec("P")
R = TypeVar("R")

# One cookie a role: the same browser may show a patient's portal beside a chart in the demo.
_COOKIES: dict[Role, str] = {
    "clinician": "hs_clinician",
    "patient": "hs_patient",
    "biller": "hs_biller",
}
_AWAY: dict[Role, str | LazyString] = {
    "clinician": "You are not signed in here, or were away too long. Open your EHR again.",
    "patient": _l("You are not signed in here, or were away too long. Open the portal again."),
    "biller": "You are not signed in here, or were away too long. Open the office again.",
}


@dataclass(frozen=True)
class SignIn:
    """The signed-in person of this request.

    `language` is the patient's own choice, `language_of_record` the health system's (BCP 47).
    """

    id: str
    tenant_id: str
    role: Role
    practitioner_id: int | None
    patient_id: int | None
    need_patient_banner: bool
    not_granted: tuple[str, ...] = ()
    ehr_style: dict[str, str] = field(default_factory=dict)
    frame_ancestors: tuple[str, ...] = ()
    language: str | None = None
    language_of_record: str | None = None
    portal_account_id: int | None = None


def current_context() -> Context:
    context: Context = current_app.extensions["homestretch"]
    return context


def begin_sign_in(response: Response, context: Context, row: SignInRow, role: Role) -> Response:
    """Gives `row` a fresh secret and puts it into this browser's cookie.

    `row` must not be flushed yet; its id and dates are set here. Nothing that the browser brought
    along is taken over: neither a cookie, nor the token of its open forms. Only a clinician who
    opens a further chart keeps that token, for the timers of the tabs that are open; their forms
    are held to the chart that they show (`app.clinician.chart_request`).
    """
    if not _is_same_clinician(g.sign_ins.get(role), row, role):
        session.pop("csrf_token", None)
    session["tenant"] = row.tenant_id
    secret = secrets.token_urlsafe(32)
    now = context.now()
    row.id, row.role = _digest(secret), role
    row.created_at = now
    row.expires_at = now + timedelta(hours=context.settings.sign_in_hours)
    config = current_app.config
    response.set_cookie(
        cookie_name(context.settings, role),
        secret,
        httponly=True,
        secure=config.get("SESSION_COOKIE_SECURE", False),
        samesite=config["SESSION_COOKIE_SAMESITE"],
        partitioned=config.get("SESSION_COOKIE_PARTITIONED", False),
        max_age=int(context.settings.sign_in_hours * 3600),
        path="/",
    )
    return response


def _is_same_clinician(earlier: SignIn | None, row: SignInRow, role: Role) -> bool:
    return (
        role == "clinician"
        and earlier is not None
        and row.practitioner_id is not None
        and (earlier.tenant_id, earlier.practitioner_id) == (row.tenant_id, row.practitioner_id)
    )


def cookie_name(settings: Settings, role: Role) -> str:
    """With HTTPS no other host can set this cookie (the prefix `__Host-`)."""
    return host_bound(settings, _COOKIES[role])


def host_bound(settings: Settings, name: str) -> str:
    return f"__Host-{name}" if settings.is_https else name


def load_sign_in() -> None:
    """Before each request: reads the cookies into `g.sign_ins`."""
    structlog.contextvars.clear_contextvars()  # the thread's last request was somebody else's
    g.sign_ins = {}
    context = current_context()
    for role in _COOKIES:
        secret = request.cookies.get(cookie_name(context.settings, role))
        if secret:
            found = _find(context, secret, role, context.now())
            if found:
                g.sign_ins[role] = found


def requires(role: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Lets a view run only for a signed-in `role`, found as `signed_in(role)`."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            sign_in = signed_in(role)
            structlog.contextvars.bind_contextvars(tenant=sign_in.tenant_id, role=role)
            return view(*args, **kwargs)

        return guarded

    return decorate


def signed_in(role: Role) -> SignIn:
    """The sign-in of this request, or an error page that says how to get one."""
    sign_in: SignIn | None = g.sign_ins.get(role)
    if sign_in is None:
        abort(401, str(_AWAY[role]))
    g.sign_in = sign_in
    return sign_in


def end_sign_in(response: Response, context: Context, sign_in: SignIn) -> bytes:
    """Ends the sign-in on the server and forgets the cookie; the sealed token that it had."""
    sealed = _end(context, sign_in)
    response.delete_cookie(
        cookie_name(context.settings, sign_in.role), path="/", secure=context.settings.is_https
    )
    return sealed


def end_earlier_sign_in(context: Context, role: Role) -> None:
    """Ends the sign-in that this browser had in `role` when the request began."""
    earlier: SignIn | None = g.sign_ins.get(role)
    if earlier is not None:
        _end(context, earlier)


def _end(context: Context, sign_in: SignIn) -> bytes:
    with context.database.begin(sign_in.tenant_id) as db:
        row = db.get_one(SignInRow, sign_in.id)
        sealed = row.token_sealed
        row.ended_at, row.token_sealed = context.now(), b""
        return sealed


def _find(context: Context, secret: str, role: Role, now: datetime) -> SignIn | None:
    with context.database.begin(None) as db:
        # The cookie is what says which tenant this is, so the look-up can't name one yet.
        found = db.execute(
            select(SignInRow, Tenant.frame_ancestors, PatientRow.language, PatientRow.demographics)
            .join(Tenant, Tenant.id == SignInRow.tenant_id)
            .outerjoin(PatientRow, PatientRow.id == SignInRow.patient_id)
            .where(SignInRow.id == _digest(secret), SignInRow.role == role),
            execution_options={ALL_TENANTS: True},
        ).one_or_none()
    if found is None:
        return None
    row, frame_ancestors, language, demographics = found
    if row.ended_at is not None or row.expires_at <= now:
        return None
    return SignIn(
        id=row.id,
        tenant_id=row.tenant_id,
        role=role,
        practitioner_id=row.practitioner_id,
        patient_id=row.patient_id,
        need_patient_banner=row.need_patient_banner,
        not_granted=tuple(row.not_granted),
        ehr_style=row.ehr_style,
        frame_ancestors=tuple(frame_ancestors),
        language=language,
        language_of_record=(demographics or {}).get("language"),
        portal_account_id=row.portal_account_id,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
