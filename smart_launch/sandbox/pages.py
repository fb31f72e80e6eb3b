"""The pages of the sandbox: the EHR's launch page, and signing in at it.

The launch page has no sign-in of its own: whoever opens it chooses whom to be. That is the one
thing about this authorization server which must never be copied.
"""

from __future__ import annotations

import secrets
import time
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2 import OAuth2Error
from flask import Blueprint, Response, abort, redirect, render_template, request
from sqlalchemy.orm import Session

from smart_launch.sandbox.access import Grant
from smart_launch.sandbox.authorization import GrantUser, SmartAuthorization
from smart_launch.sandbox.database import LaunchRow
from smart_launch.sandbox.registration import Client
from smart_launch.sandbox.search import Criteria
from smart_launch.sandbox.store import FhirStore

_LAUNCH_LIFETIME_S = 300
_EVERYTHING = Grant((("system", "*", "cruds"),), None, None)

# Printed on the sign-in page: it guards synthetic people only, and shows where a secret goes.
PIN = "2468"


def pages_blueprint(authorization: SmartAuthorization, store: FhirStore) -> Blueprint:
    """`/` is the EHR, `/auth/…` the authorization server."""
    pages = Blueprint(
        "pages",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/sandbox-static",
    )
    config, server = authorization.config, authorization.server

    @pages.get("/")
    def ehr() -> str:
        return render_template(
            "ehr.html",
            patients=_people(store, "Patient"),
            practitioners=_people(store, "Practitioner"),
            app_url=config.app_url,
            pin=PIN,
        )

    @pages.post("/launch")
    def launch() -> Response | str:
        patient = _chosen(store, "Patient", "patient")
        practitioner = _chosen(store, "Practitioner", "practitioner")
        launch_id = secrets.token_urlsafe(24)
        with Session(authorization.engine) as db, db.begin():
            db.add(
                LaunchRow(
                    id=launch_id,
                    fhir_user=f"Practitioner/{practitioner['id']}",
                    patient=patient["id"],
                    encounter=_encounter_under_way(store, patient["id"]),
                    expires_at=time.time() + _LAUNCH_LIFETIME_S,
                )
            )
        query = urlencode({"iss": config.fhir_base, "launch": launch_id})
        url = f"{config.app_url}/launch?{query}"
        if request.form.get("frame"):
            return render_template(
                "frame.html", url=url, patient=patient, practitioner=practitioner
            )
        return redirect(url)  # type: ignore[return-value]  # werkzeug's response is flask's here

    @pages.get("/auth/jwks")
    def jwks() -> dict[str, Any]:
        return {"keys": [authorization.key.as_dict(private=False, use="sig", alg="RS256")]}

    @pages.get("/.well-known/openid-configuration")
    def openid_configuration() -> dict[str, Any]:
        return {
            "issuer": config.issuer,
            "jwks_uri": f"{config.base_url}/auth/jwks",
            "authorization_endpoint": f"{config.base_url}/auth/authorize",
            "token_endpoint": f"{config.base_url}/auth/token",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    @pages.post("/auth/token")
    def token() -> Response:
        answer: Response = server.create_token_response()
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @pages.post("/auth/revoke")
    def revoke() -> Response:
        answer: Response = server.create_endpoint_response("revocation")
        return answer

    @pages.post("/auth/introspect")
    def introspect() -> Response:
        answer: Response = server.create_endpoint_response("introspection")
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @pages.route("/auth/authorize", methods=["GET", "POST"])
    def authorize() -> Response | str | tuple[str, int]:
        audience = request.args.get("aud", "").rstrip("/")
        if not config.serves(audience):
            abort(400, "aud must be this server's FHIR base URL")
        if request.args.get("code_challenge_method") != "S256" or not request.args.get(
            "code_challenge"
        ):
            abort(400, "PKCE with code_challenge_method=S256 is required")
        try:
            grant = server.get_consent_grant(end_user=None)
        except OAuth2Error as error:
            answer: Response = server.handle_error_response(None, error)
            return answer
        client: Client = grant.client
        scopes = client.get_allowed_scope(request.args.get("scope")).split()
        user = None
        if "launch" in request.args:
            if "launch" not in scopes:
                abort(400, "this client may not be launched from the EHR with these scopes")
            user = _launched(authorization, request.args["launch"], audience)
        elif request.method == "GET":
            return _sign_in_page(store, client, scopes, None)
        elif not request.form.get("cancel"):
            if not secrets.compare_digest(request.form.get("pin", "").encode(), PIN.encode()):
                return _sign_in_page(store, client, scopes, "The PIN is not right.")
            user = _signed_in(store, client, "launch/patient" in scopes, audience)
        # Without a user, Authlib sends `access_denied` back to the app.
        done: Response = server.create_authorization_response(grant_user=user, grant=grant)
        return done

    return pages


def _people(store: FhirStore, resource_type: str) -> list[dict[str, Any]]:
    page = store.search(_EVERYTHING, Criteria(resource_type, ()), 0, 200)
    return [_person(resource) for resource in page.resources]


def _chosen(store: FhirStore, resource_type: str, field: str) -> dict[str, Any]:
    """The person whom the form names. Aborts with 400 for anybody else."""
    chosen = request.form.get(field, "")
    for person in _people(store, resource_type):
        if person["id"] == chosen:
            return person
    abort(400, f"there is no {resource_type} with this id here")


def _encounter_under_way(store: FhirStore, patient: str) -> str | None:
    under_way = (("patient", patient), ("status", "in-progress"))
    found = store.search(_EVERYTHING, Criteria("Encounter", under_way), 0, 1).resources
    return found[0]["id"] if found else None


def _launched(authorization: SmartAuthorization, launch_id: str, audience: str) -> GrantUser:
    """The context of a `launch`, which is used up. Aborts with 400 for any other."""
    with Session(authorization.engine) as db, db.begin():
        row = db.get(LaunchRow, launch_id)
        if row is None or row.expires_at < time.time():
            abort(400, "this launch is unknown, used or expired; launch again from the EHR")
        db.delete(row)
        return GrantUser(row.fhir_user, row.patient, row.encounter, audience)


def _signed_in(store: FhirStore, client: Client, with_patient: bool, audience: str) -> GrantUser:
    """The person in the form; the context, if asked for, is the patient or whom one chose."""
    kind = _kind(client)
    person = _chosen(store, kind, "person")["id"]
    context = None
    if with_patient:
        context = person if kind == "Patient" else _chosen(store, "Patient", "patient")["id"]
    return GrantUser(f"{kind}/{person}", context, None, audience)


def _sign_in_page(
    store: FhirStore, client: Client, scopes: list[str], problem: str | None
) -> str | tuple[str, int]:
    kind = _kind(client)
    chooses = kind == "Practitioner" and "launch/patient" in scopes
    page = render_template(
        "sign_in.html",
        people=_people(store, kind),
        patients=_people(store, "Patient") if chooses else [],
        kind=kind,
        problem=problem,
        pin=PIN,
    )
    return (page, 401) if problem else page


def _kind(client: Client) -> str:
    return "Patient" if client.is_for_patients else "Practitioner"


def _person(resource: dict[str, Any]) -> dict[str, Any]:
    name = resource["name"][0]
    return {
        "id": resource["id"],
        "name": " ".join([*name.get("given", []), name["family"]]),
        "birth_date": resource.get("birthDate", ""),
        "about": resource.get("text", {})
        .get("div", "")
        .removeprefix('<div xmlns="http://www.w3.org/1999/xhtml">')
        .removesuffix("</div>"),
    }
