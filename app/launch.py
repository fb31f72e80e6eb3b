"""SMART launches of the three audiences, from the first redirect to a sign-in.

The state of each authorization request is stored, used once, and bound to the browser that
began it; the tokens that come back are stored encrypted and never reach the browser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from flask import Blueprint, Response, abort, jsonify, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult

from app.chart_intake import PersonUnknown, take_in_patient, take_in_practitioner
from app.context import Context
from app.error_pages import error_page
from app.sign_in import Role, begin_sign_in, current_context
from app.store import LaunchRow, SignInRow, Tenant, tenant_by_iss
from fhir.client import FhirClient, FhirError
from smart_launch.discovery import discover
from smart_launch.ehr_launch import begin_ehr_launch
from smart_launch.errors import LaunchRefused, UnknownIssuer
from smart_launch.exchange import LaunchContext, complete_launch
from smart_launch.pending import PendingLaunch
from smart_launch.standalone_launch import begin_standalone_launch

blueprint = Blueprint("launch", __name__)

CLINICIAN_SCOPES = (
    "openid fhirUser launch offline_access user/Patient.rs user/Practitioner.rs "
    "user/PractitionerRole.rs user/Condition.rs user/Coverage.rs user/CarePlan.rs"
)
PATIENT_SCOPES = "openid fhirUser launch/patient patient/Patient.rs patient/Coverage.rs"
BILLER_SCOPES = "openid fhirUser user/Practitioner.rs user/PractitionerRole.rs"

_PENDING_FOR = timedelta(minutes=10)
_LANDING: dict[Role, str] = {
    "clinician": "clinician.chart",
    "patient": "portal.today",
    "biller": "office.current_month",
}
_BROWSER_STATES = "launch_states"


@blueprint.errorhandler(LaunchRefused)
def _refused(error: LaunchRefused) -> ResponseReturnValue:
    return error_page("This launch can't go on", str(error), 403)


@blueprint.errorhandler(PersonUnknown)
@blueprint.errorhandler(FhirError)
def _unreadable(error: Exception) -> ResponseReturnValue:
    return error_page("The EHR did not give what is needed", str(error), 502)


@blueprint.get("/launch")
def ehr_launch() -> Response:
    """The EHR opens us here with `iss` and `launch`."""
    context = current_context()
    tenant = _tenant(context, request.args.get("iss", ""))
    url, pending = begin_ehr_launch(
        discover(tenant.iss),
        launch=request.args.get("launch", ""),
        client_id=tenant.clinician_client_id,
        redirect_uri=_redirect_uri(context, "launch.ehr_callback"),
        scope=CLINICIAN_SCOPES,
    )
    return _send_to(context, url, pending, "clinician")


@blueprint.get("/portal/launch/<tenant_id>")
def portal_launch(tenant_id: str) -> Response:
    """The patient begins here."""
    context = current_context()
    tenant = _tenant_by_id(context, tenant_id)
    url, pending = begin_standalone_launch(
        discover(tenant.iss),
        client_id=tenant.portal_client_id,
        redirect_uri=_redirect_uri(context, "launch.portal_callback"),
        scope=PATIENT_SCOPES,
    )
    return _send_to(context, url, pending, "patient")


@blueprint.get("/office/launch/<tenant_id>")
def office_launch(tenant_id: str) -> Response:
    """Billing staff begin here, with their account at the EHR."""
    context = current_context()
    tenant = _tenant_by_id(context, tenant_id)
    url, pending = begin_standalone_launch(
        discover(tenant.iss),
        client_id=tenant.clinician_client_id,
        redirect_uri=_redirect_uri(context, "launch.ehr_callback"),
        scope=BILLER_SCOPES,
    )
    return _send_to(context, url, pending, "biller")


@blueprint.get("/launch/callback")
def ehr_callback() -> Response:
    return _complete("clinician", "biller")


@blueprint.get("/portal/callback")
def portal_callback() -> Response:
    return _complete("patient")


@blueprint.get("/.well-known/jwks.json")
def jwks() -> Response:
    """The public key of the workers' client assertions."""
    response: Response = jsonify(current_context().keys.public_jwks())
    response.headers["Cache-Control"] = "public, max-age=300"
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
    return tenant


def _tenant_by_id(context: Context, tenant_id: str) -> Tenant:
    with context.database.begin(None) as db:
        tenant = db.get(Tenant, tenant_id)
    if tenant is None:
        abort(404, "There is no such health system here.")
    return tenant


def _redirect_uri(context: Context, endpoint: str) -> str:
    return context.settings.base_url + url_for(endpoint)


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


def _complete(*audiences: Role) -> Response:
    context = current_context()
    audience, pending = _take_pending(context, request.args.get("state", ""))
    if audience not in audiences:
        raise LaunchRefused("This answer belongs to another kind of launch.")
    granted = complete_launch(pending, request.args, context.now())
    tenant = _tenant(context, granted.iss)
    client = FhirClient(tenant.iss, lambda refused: granted.access_token)
    response = redirect(url_for(_LANDING[audience]))
    with context.database.begin(tenant.id) as db:
        row = SignInRow(
            token_sealed=context.vault.seal(_sealable(granted)),
            encounter=granted.encounter,
            need_patient_banner=granted.need_patient_banner,
        )
        if audience == "patient":
            if not granted.patient:
                raise LaunchRefused("The health system did not say which patient you are.")
        else:
            if not (granted.fhir_user or "").startswith("Practitioner/"):
                raise LaunchRefused("The EHR did not say which practitioner is signed in.")
            row.practitioner_id = take_in_practitioner(db, client, str(granted.fhir_user)).id
        if audience == "biller" and granted.fhir_user not in tenant.billing_fhir_users:
            raise LaunchRefused("Your account is not registered for the billing office.")
        if audience != "biller" and granted.patient:
            row.patient_id = take_in_patient(context, db, tenant, client, granted.patient).id
        begin_sign_in(response, context, row, audience)  # type: ignore[arg-type]  # see above
        db.add(row)
    return response  # type: ignore[return-value]


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


def _sealable(granted: LaunchContext) -> dict[str, object]:
    return {**asdict(granted), "expires_at": granted.expires_at.isoformat()}
