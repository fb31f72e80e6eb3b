"""SMART launches of the three audiences, from the first redirect to a sign-in.

The state of each authorization request is stored, used once, and bound to the browser that
began it; the tokens that come back are stored encrypted and never reach the browser. Every
health system has a callback address of its own, so that the code of one can't be carried to
another (RFC 9700, 2.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult

from app.chart_intake import LaunchReader, PersonUnknown, take_in_patient, take_in_practitioner
from app.context import Context
from app.error_pages import error_page
from app.frame_policy import allow_frames_of
from app.granted import LASTING, scope_for
from app.issuers import Issuers
from app.languages import for_a_patient
from app.person_token import CLIENT_OF_ROLE, seal_token
from app.sign_in import Role, begin_sign_in, current_context, end_earlier_sign_in
from app.signing_keys import JWKS_MAX_AGE, public_jwks
from app.store import LaunchRow, SignInRow, Tenant, tenant_by_iss
from app.tenant_clients import callback_path, client_id, registered_client
from fhir.client import FhirClient, FhirError
from smart_launch.discovery import discover
from smart_launch.ehr_launch import begin_ehr_launch
from smart_launch.errors import LaunchRefused, UnknownIssuer
from smart_launch.exchange import LaunchContext, complete_launch
from smart_launch.pending import PendingLaunch
from smart_launch.scopes import parse_grant
from smart_launch.standalone_launch import begin_standalone_launch
from smart_launch.style import NoStyle, read_style

blueprint = Blueprint("launch", __name__)
log = structlog.get_logger(__name__)

_PENDING_FOR = timedelta(minutes=10)
_LANDING: dict[Role, str] = {
    "clinician": "clinician.chart",
    "patient": "portal.today",
    "biller": "office.current_month",
}

# Values of `intent` that an EHR's administrator may set, and the page that each opens.
_INTENTS = {"prescribe": "programs.choose"}
_BROWSER_STATES = "launch_states"

# Where whoever came back to an address of ours begins again.
_BEGIN: dict[Role, str] = {
    "clinician": "launch.chart_launch",
    "patient": "launch.portal_launch",
}


@blueprint.errorhandler(LaunchRefused)
def _refused(error: LaunchRefused) -> ResponseReturnValue:
    if for_a_patient():
        return _not_signed_in(
            _(
                "The sign-in did not work. It may have taken too long, or it was begun in "
                "another window. Please start again."
            ),
            error,
            403,
        )
    return error_page("This launch can't go on", str(error), 403)


@blueprint.errorhandler(PersonUnknown)
@blueprint.errorhandler(FhirError)
def _unreadable(error: Exception) -> ResponseReturnValue:
    if for_a_patient():
        return _not_signed_in(
            _(
                "Your health system did not give us what we need. Please try again later. "
                "If it does not work then, call your care team."
            ),
            error,
            502,
        )
    return error_page("The EHR did not give what is needed", str(error), 502)


def _not_signed_in(message: str, error: Exception, status: int) -> ResponseReturnValue:
    """In the patient's words; the reason itself is for whoever helps the patient."""
    return error_page(_("We could not sign you in"), message, status, detail=str(error))


@blueprint.get("/launch")
def ehr_launch() -> ResponseReturnValue:
    """The EHR opens us here with `iss` and `launch`.

    Inside a frame a browser may drop our cookie. `launch` works once, so that is found out by
    one more redirect before it is used.
    """
    tenant = _tenant(current_context(), request.args.get("iss", ""))
    if _in_frame() and not _cookie_came_back():
        session["tenant"] = tenant.id
        return redirect(url_for(".ehr_launch_in_frame", iss=tenant.iss, launch=_launch()))
    return _begin_in_chart(tenant)


@blueprint.get("/launch/frame")
def ehr_launch_in_frame() -> ResponseReturnValue:
    """Goes on with an EHR launch in a frame, if the cookie survived there."""
    tenant = _tenant(current_context(), request.args.get("iss", ""))
    if not _cookie_came_back():
        return _way_out(url_for(".ehr_launch", iss=tenant.iss, launch=_launch()))
    return _begin_in_chart(tenant)


@blueprint.get("/chart/launch/<tenant_id>")
def chart_launch(tenant_id: str) -> Response:
    """A clinician begins here, outside the chart, and chooses the patient at the EHR."""
    return _begin_standalone(tenant_id, "clinician")


@blueprint.get("/portal/launch/<tenant_id>")
def portal_launch(tenant_id: str) -> Response:
    """The patient begins here."""
    return _begin_standalone(tenant_id, "patient")


@blueprint.get("/office/launch/<tenant_id>")
def office_launch(tenant_id: str) -> Response:
    """Billing staff begin here, with their account at the EHR."""
    return _begin_standalone(tenant_id, "biller")


@blueprint.get("/launch/callback/<tenant_id>")
def ehr_callback(tenant_id: str) -> ResponseReturnValue:
    return _complete(tenant_id, "clinician", "biller")


@blueprint.get("/portal/callback/<tenant_id>")
def portal_callback(tenant_id: str) -> ResponseReturnValue:
    return _complete(tenant_id, "patient")


@blueprint.get("/.well-known/jwks.json")
def jwks() -> Response:
    """The public keys of our client assertions."""
    context = current_context()
    response: Response = jsonify(public_jwks(context.keys.signing, context.now()))
    max_age_s = int(JWKS_MAX_AGE.total_seconds())
    response.headers["Cache-Control"] = f"public, max-age={max_age_s}"
    return response


def health_systems(context: Context) -> Sequence[Tenant]:
    """Every registered health system, by name."""
    with context.database.begin(None) as db:
        return db.scalars(select(Tenant).order_by(Tenant.name)).all()


def _tenant(context: Context, iss: str) -> Tenant:
    with context.database.begin(None) as db:
        tenant = tenant_by_iss(db, iss)
    if tenant is None:
        raise UnknownIssuer("This EHR (iss) is not registered here. Ask your IT department.")
    allow_frames_of(tenant)
    return tenant


def _tenant_by_id(context: Context, tenant_id: str) -> Tenant:
    with context.database.begin(None) as db:
        tenant = db.get(Tenant, tenant_id)
    if tenant is None:
        abort(404, _("There is no such health system here."))
    allow_frames_of(tenant)
    return tenant


def _begin_in_chart(tenant: Tenant) -> Response:
    context = current_context()
    configuration = discover(tenant.iss)
    url, pending = begin_ehr_launch(
        configuration,
        launch=_launch(),
        client_id=client_id(tenant, "clinician"),
        redirect_uri=_redirect_uri(context, "clinician", tenant),
        scope=scope_for(tenant, "clinician", configuration),
    )
    return _send_to(context, url, pending, "clinician")


def _begin_standalone(tenant_id: str, audience: Role) -> Response:
    context = current_context()
    tenant = _tenant_by_id(context, tenant_id)
    configuration = discover(tenant.iss)
    url, pending = begin_standalone_launch(
        configuration,
        client_id=client_id(tenant, CLIENT_OF_ROLE[audience]),
        redirect_uri=_redirect_uri(context, audience, tenant),
        scope=scope_for(tenant, audience, configuration, from_chart=False),
    )
    return _send_to(context, url, pending, audience)


def _launch() -> str:
    return request.args.get("launch", "")


def _redirect_uri(context: Context, audience: Role, tenant: Tenant) -> str:
    return context.settings.base_url + callback_path(tenant.id, CLIENT_OF_ROLE[audience])


def _send_to(context: Context, url: str, pending: PendingLaunch, audience: Role) -> Response:
    with context.database.begin(None) as db:
        db.add(
            LaunchRow(
                state=pending.state,
                audience=audience,
                request=pending.to_dict(),
                created_at=context.now(),
            )
        )
    session[_BROWSER_STATES] = [*session.get(_BROWSER_STATES, [])[-4:], pending.state]
    return redirect(url)  # type: ignore[return-value]  # werkzeug's response is flask's here


def _complete(tenant_id: str, *audiences: Role) -> ResponseReturnValue:
    context = current_context()
    tenant = _tenant_by_id(context, tenant_id)
    if _in_frame() and not _cookie_came_back():
        return _way_out(url_for(_BEGIN[audiences[0]], tenant_id=tenant_id))
    audience, pending = _take_pending(context, request.args.get("state", ""))
    if audience not in audiences or pending.iss != tenant.iss:
        raise LaunchRefused("This answer belongs to another launch.")
    client = registered_client(context, tenant, CLIENT_OF_ROLE[audience])
    issuers: Issuers = current_app.extensions["homestretch_issuers"]
    granted = complete_launch(
        pending,
        request.args,
        context.now(),
        client=client.authentication,
        key_sets=issuers.key_sets,
    )
    reader = LaunchReader(
        FhirClient(tenant.iss, lambda refused: granted.access_token), parse_grant(granted.scope)
    )
    style = _style(granted)
    response = redirect(url_for(_landing(audience, granted)))
    with context.database.begin(tenant.id) as db:
        row = SignInRow(
            tenant_id=tenant.id,
            token_sealed=seal_token(context, granted),
            encounter=granted.encounter,
            need_patient_banner=granted.need_patient_banner,
            ehr_style=style,
        )
        if audience == "patient":
            if not granted.patient:
                raise LaunchRefused("The health system did not say which patient you are.")
        else:
            fhir_user = granted.fhir_user or ""
            if not fhir_user.startswith("Practitioner/"):
                raise LaunchRefused("The EHR did not say which practitioner is signed in.")
            row.practitioner_id = take_in_practitioner(db, reader, fhir_user, granted.name).id
        if audience == "biller" and granted.fhir_user not in tenant.billing_fhir_users:
            raise LaunchRefused("Your account is not registered for the billing office.")
        if audience != "biller" and granted.patient:
            row.patient_id = take_in_patient(context, db, tenant, reader, granted.patient).id
        row.not_granted = list(reader.not_granted)
        if granted.refresh_token is None and audience == "clinician":
            row.not_granted = [*row.not_granted, LASTING]
        begin_sign_in(response, context, row, audience)  # type: ignore[arg-type]  # see _send_to
        db.add(row)
    end_earlier_sign_in(context, audience)
    return response


def _landing(audience: Role, granted: LaunchContext) -> str:
    if audience == "clinician" and not granted.patient:
        return "panel.panel"
    if audience == "clinician" and granted.intent in _INTENTS:
        return _INTENTS[granted.intent]
    return _LANDING[audience]


def _style(granted: LaunchContext) -> dict[str, str]:
    """The EHR's colours; a launch does not fail for want of them."""
    if granted.smart_style_url is None:
        return {}
    try:
        return read_style(granted.smart_style_url, granted.iss)
    except NoStyle as error:
        log.warning("no_ehr_style", reason=str(error))
        return {}


def _take_pending(context: Context, state: str) -> tuple[Role, PendingLaunch]:
    """The request with this `state`, used up. Raises LaunchRefused for any other."""
    now: datetime = context.now()
    with context.database.begin(None) as db:
        result = db.execute(
            update(LaunchRow)
            .where(
                LaunchRow.state == state,
                LaunchRow.used_at.is_(None),
                LaunchRow.created_at > now - _PENDING_FOR,
            )
            .values(used_at=now)
        )
        assert isinstance(result, CursorResult)
        if result.rowcount != 1:
            raise LaunchRefused(
                "This launch was already used or took too long. Launch again from the EHR."
            )
        row = db.get_one(LaunchRow, state)
    if state not in session.get(_BROWSER_STATES, []):
        raise LaunchRefused("This launch was begun in another browser. Launch again from the EHR.")
    session[_BROWSER_STATES] = [s for s in session[_BROWSER_STATES] if s != state]
    return row.audience, PendingLaunch.from_dict(row.request)  # type: ignore[return-value]


def _in_frame() -> bool:
    """Whether the browser says that it shows us in a frame (Fetch Metadata)."""
    return request.headers.get("Sec-Fetch-Dest") in ("iframe", "frame")


def _cookie_came_back() -> bool:
    return current_app.config["SESSION_COOKIE_NAME"] in request.cookies


def _way_out(url: str) -> ResponseReturnValue:
    """A page that offers `url`, an address of ours, in a window where cookies work."""
    return render_template("way_out.html", url=url), 403
